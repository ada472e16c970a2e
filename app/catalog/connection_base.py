"""What every kind of connection is: two models, for what is shown and for what is secret. No kind stands here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

SERVE_AS = {"oauth2": "http"}
"""Kinds that actions can use in place of another: an access token serves as the credentials of an HTTP API."""

LONGEST_CREDENTIAL = 16 * 1024
"""Characters of one credential: signed tokens and keys in PEM have thousands. What a server answers is looked
through for every secret that was sent to it."""

Credential = Annotated[str, StringConstraints(max_length=LONGEST_CREDENTIAL)]


def fits(kind: str, wanted: str | None) -> bool:
    """Whether a connection of the kind does for an action that uses the kind it wants."""
    return wanted is not None and wanted in (kind, SERVE_AS.get(kind))


class ConnectionModel(BaseModel):
    """Base of configurations and credentials. Errors never show what was entered, since it may be a secret."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    def destination(self) -> Mapping[str, object]:
        """Of a configuration: what its fields say about where the credentials are sent, and how safely. By default
        nothing: they go to the provider, wherever that is."""
        return {}


class NoConfig(ConnectionModel):
    """Nothing to configure."""


@dataclass(frozen=True)
class ConnectionKind:
    """One kind of connection: what it is called, and the models of its two halves."""

    kind: str
    title: str
    config: type[ConnectionModel]
    credentials: type[ConnectionModel]
