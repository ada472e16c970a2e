"""What every kind of connection is: two models, for what is shown and for what is secret. No kind stands here."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class ConnectionModel(BaseModel):
    """Base of configurations and credentials. Errors never show what was entered, since it may be a secret."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class NoConfig(ConnectionModel):
    """Nothing to configure."""


@dataclass(frozen=True)
class ConnectionKind:
    """One kind of connection: what it is called, and the models of its two halves."""

    kind: str
    title: str
    config: type[ConnectionModel]
    credentials: type[ConnectionModel]
