"""What a recorded run is made of: a definition, what happens meanwhile, how it ends; and the provider of all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.db.models import Run
from app.json import JsonObject
from tests.support.engine import Engine
from tests.support.http_stub import Answer, HttpStub

Drive = Callable[[Engine, Run], Awaitable[Run | None]]


async def _leave(_engine: Engine, _run: Run) -> None:
    """Nothing has to happen for the run to end."""


@dataclass(frozen=True)
class Case:
    """`drive` sends what the run waits for, and answers the run to record where that is another one.

    `status` is how the run must end. With `most_events` its executions are so short that it continues as new: recording
    and replaying must agree about it. `loses_a_task`: one of its workflow tasks fails on purpose.
    """

    definition: JsonObject
    status: str = "completed"
    drive: Drive = _leave
    most_events: int | None = None
    loses_a_task: bool = False
    slow: bool = False
    """It takes ten seconds."""


def prepare(stub: HttpStub) -> None:
    """The provider: `/ok`, `/large`, `/gone`, `/flaky/<name>` (is down once), `/lost/<name>` (is not there once)."""
    stub.answer("/large", Answer(body="x" * 20_000))
    stub.answer("/gone", Answer(status=404))
    for name in ("plain", "scheduled", "group", "beside"):
        stub.answer(f"/flaky/{name}", Answer(status=503), Answer(json={"ok": True}))
    for name in ("held", "on_failure", "retry_on", "group_retry_on", "redriven"):
        stub.answer(f"/lost/{name}", Answer(status=404), Answer(json={"ok": True}))
