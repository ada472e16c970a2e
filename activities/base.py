"""How an action is written: a function over an `Invocation`, bound to its catalog entry by `@action`.

Actions see validated inputs, a resolved connection and the one HTTP client. They see neither Temporal nor the database:
keeping outcomes, retrying and timing out are `runner.py`'s. One that changes our own records hands the transaction it
is given to a service.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from activities.http_client import HttpClient
from app.catalog.base import Action, ActionModel
from app.catalog.errors import ErrorType
from app.catalog.registry import ACTIONS
from app.json import JsonObject
from app.services.connections import ResolvedConnection
from app.services.local_changes import LocalChange
from app.settings import Settings

InputsT = TypeVar("InputsT", bound=ActionModel)


class ActionError(Exception):
    """An attempt failed. `type` says whether another can help, `retry_after` the seconds the provider asked for."""

    def __init__(
        self,
        type: ErrorType,
        message: str,
        *,
        provider_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.provider_code = provider_code
        self.retry_after = retry_after


Renewal = Callable[[], Awaitable[ResolvedConnection]]
"""Gets a connection another access token in place of the one that its provider refused. Raises `ActionError`."""


@dataclass(frozen=True, kw_only=True)
class Invocation(Generic[InputsT]):
    """One attempt: everything an action may use. `key` is the effect's stable idempotency key."""

    inputs: InputsT
    connection: ResolvedConnection | None
    key: str
    http: HttpClient
    settings: Settings
    step: str
    attempt: int
    started_at: datetime
    renew: Renewal | None = None
    """For a connection whose credentials are an access token."""
    hide: Callable[[str], str] = str
    """A text without this attempt's secrets: for what others say, before any of it is cut off."""
    local: LocalChange | None = None
    """The transaction of an action whose entry says `where="local"`: its outcome is committed in it."""

    @property
    def change(self) -> LocalChange:
        """`local`, for an action that has it."""
        assert self.local is not None, "the catalog says that the action is local"
        return self.local


ActionFunction = Callable[[Invocation[Any]], Awaitable[ActionModel]]
Mask = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True)
class RegisteredAction:
    """A catalog entry with the function that does it and the one that hides secrets in its inputs."""

    entry: Action
    function: ActionFunction
    mask: Mask


REGISTERED: dict[str, RegisteredAction] = {}

FunctionT = TypeVar("FunctionT", bound=Callable[..., Awaitable[ActionModel]])


def action(action_id: str, *, mask: Mask | None = None) -> Callable[[FunctionT], FunctionT]:
    """Bind a function to a catalog entry. `mask` takes resolved inputs and returns them with secrets hidden."""

    def bind(function: FunctionT) -> FunctionT:
        if action_id in REGISTERED:
            raise ValueError(f"two functions claim the action {action_id!r}")
        REGISTERED[action_id] = RegisteredAction(ACTIONS[action_id], function, mask or dict)
        return function

    return bind
