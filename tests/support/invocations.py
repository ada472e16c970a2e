"""Calls of actions as the worker makes them, without a worker: validated inputs, a connection, the one HTTP client."""

from datetime import UTC, datetime
from typing import Any

from activities.base import REGISTERED, Invocation
from activities.http_client import HttpClient
from app.catalog.base import ActionModel
from app.json import Json, JsonObject
from app.services.connections import ResolvedConnection
from app.settings import Settings

KEY = "018f3c2e-7b1a-7c3d-9e4f-0a1b2c3d4e5f/each[3].nudge"
STARTED_AT = datetime(2030, 1, 31, 9, 0, tzinfo=UTC)


class ActionCaller:
    """`await caller("http.request", {...})` answers with the action's outputs, or raises its `ActionError`."""

    def __init__(self, http: HttpClient, settings: Settings) -> None:
        self.http = http
        self.settings = settings

    async def __call__(
        self,
        action: str,
        inputs: JsonObject,
        *,
        connection: ResolvedConnection | None = None,
        key: str = KEY,
        attempt: int = 1,
    ) -> Any:
        registered = REGISTERED[action]
        invocation = Invocation(
            inputs=registered.entry.inputs.model_validate(inputs),
            connection=connection,
            key=key,
            http=self.http,
            settings=self.settings,
            step="a step",
            attempt=attempt,
            started_at=STARTED_AT,
        )
        outputs = await registered.function(invocation)
        assert isinstance(outputs, ActionModel)
        assert isinstance(outputs, registered.entry.outputs)
        return outputs


def connection_of(kind: str, config: JsonObject | None = None, credentials: Json = None) -> ResolvedConnection:
    """A connection as the services hand it to an action."""
    return ResolvedConnection(name=f"{kind}-main", kind=kind, config=config or {}, credentials=credentials or {})
