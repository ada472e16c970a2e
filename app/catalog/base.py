"""What a catalog entry says about an action. Descriptions only: what it does is one function in `activities/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.catalog.connection_base import fits
from app.catalog.errors import ErrorType
from app.definition.steps import Retry
from app.json import JsonObject

Where = Literal["inline", "local", "remote"]
"""inline: evaluated inside the walk; local: our own database, exactly once; remote: a provider."""


class ActionModel(BaseModel):
    """Base of every action's inputs and outputs. Inputs refuse unknown keys, as the definition does."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing a step can do.

    `connection` is the kind of connection it may use, `connection_required` whether it cannot do without.
    `timeout` is the default limit of one attempt in seconds. `short` actions may make their first attempt as a local
    activity. `idempotency` says in one sentence how a repeat is made harmless. `local_names` are the names that
    expressions inside an input may use besides the run's, by input; `*variables` stands for the keys of that input.
    """

    id: str
    title: str
    description: str
    icon: str
    inputs: type[ActionModel]
    outputs: type[ActionModel]
    where: Where
    idempotency: str
    connection: str | None = None
    connection_required: bool = False
    retry: Retry = field(default_factory=lambda: Retry.model_validate({}))
    timeout: float = 30.0
    short: bool = True
    errors: tuple[ErrorType, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[JsonObject, ...] = ()
    """`{title, inputs}`, and `connection` where one is needed."""
    local_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def takes(self, kind: str) -> bool:
        """Whether it can use a connection of the kind."""
        return fits(kind, self.connection)

    @property
    def category(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]
