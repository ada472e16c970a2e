"""Whatever an operator does to a run, and whenever: it is answered or refused in words, and the run ends as it must.

The runs continue as new all the time, so that anything may come in the moment one execution ends.
"""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from temporalio.client import RPCError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from app.db.models import Run
from app.json import JsonObject
from app.temporal import names
from tests.support.engine import Engine
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, delay, group, let, loop, parallel, put, repeat, wait
from tests.support.waiting import eventually
from tests.support.walks import get
from workflows import history

DEFINITION: JsonObject = {
    "variables": {"n": 0},
    "settings": {"on_failure": "hold"},
    "steps": [
        get("first", compensate=[get("undo_first", "/undo")]),
        parallel(
            "all",
            [
                loop(
                    "each", 6, get("fetch", "/{{ item }}", compensate=[get("undo", "/undo")]), wait("reply"),
                    concurrency=2, collect="{{ item }}",
                )
            ],
            [
                loop(
                    "trouble", 4,
                    get("lost", "/lost/{{ item }}", on_error="hold"),
                    group("often", {**BAD, "id": "bad"}, on_error="hold", retry={"max_attempts": 2}),
                    let("count", n="{{ vars.n + 1 }}"),
                )
            ],
            [repeat("poll", delay("pause", "5ms"), put("round"), until="{{ loop.number == 25 }}", interval="5ms")],
        ),
        get("last"),
    ],
    "finally": [get("tell", "/{{ status }}")],
    "output": ["{{ steps.each.output.results }}", "{{ vars.n }}"],
}  # fmt: skip


class Operator:
    """Does things to a run without looking; remembers what was refused."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self.engine, self.run = engine, run
        self.refused: list[str] = []

    async def act(self, what: str) -> None:
        """One thing, whether it makes sense at the moment or not."""
        try:
            await self._do(what)
        except WorkflowUpdateFailedError as refused:
            why = refused.cause
            if not isinstance(why, ApplicationError) or why.type not in names.OTHER_STATE:
                raise
            self.refused.append(why.type)
        except RPCError as error:
            if not any(word in error.message for word in ("completed", "not found", "aborted by closing workflow")):
                raise

    async def _do(self, what: str) -> None:
        engine, run = self.engine, self.run
        match what:
            case "pause":
                await engine.pause(run)
            case "resume":
                await engine.resume(run)
            case "signal":
                await engine.signal(run, "go")
            case "event":
                await engine.send("go")
            case "cancel":
                await (await engine.handle(run)).cancel()
            case "look":
                await engine.timeline(run)
            case decision:
                for step in (await engine.timeline(run)).steps:
                    if step.status == "held":
                        await engine.decide(run, step.path, decision)
                        return

    async def help_to_the_end(self) -> None:
        """Resume it, skip what is held, answer what it waits for, until it has ended."""

        async def ended() -> bool:
            if (await self.engine.row(self.run)).finished_at is not None:
                return True
            for what in ("resume", "skip", "signal"):
                await self.act(what)
            return False

        await eventually(ended, within=60, what="the end")


ACTIONS = ["pause", "resume", "signal", "event", "look", "retry", "skip", "pause", "resume", "signal"]


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    acts=st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=40),
    at_last=st.sampled_from(["nothing", "nothing", "cancel", "fail", "both"]),
    most_events=st.sampled_from([30, 60, 6000]),
    at_once=st.booleans(),
)
async def test_any_run_of_any_operator_ends_in_order(
    engine: Engine, http_stub: HttpStub, acts: list[str], at_last: str, most_events: int, at_once: bool
) -> None:
    http_stub.requests.clear()
    for number in range(4):
        http_stub.answer(f"/lost/{number}", Answer(status=404), Answer(json={"n": number}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "MOST_EVENTS", most_events)
        run = await engine.start(DEFINITION, input={"url": http_stub.url})
        operator = Operator(engine, run)
        await _all(operator, acts, at_once=at_once)
        last = {"nothing": [], "both": ["fail", "cancel"]}.get(at_last, [at_last])
        await _all(operator, last, at_once=at_once)
        await operator.help_to_the_end()
        done = await engine.end(run)
        await replay(await engine.platform.temporal.client(), done.executions)
    event(f"{done.run.status}, {min(len(done.executions), 5)} executions, {len(set(operator.refused))} ways refused")
    assert done.run.status in ("completed", "failed", "cancelled")
    assert [failure for execution in done.executions for failure in execution.task_failures] == []
    assert not {step.status for step in done.steps.values()} & {"pending", "running", "waiting", "held"}
    assert all(row.closed_at is not None for row in await engine.waits(run))
    effects = http_stub.effects(run.id)
    assert set(effects.values()) <= {1}, effects
    assert effects["tell"] == 1
    _undone_as_it_must_be(done.run, effects)


async def _all(operator: Operator, acts: Sequence[str], *, at_once: bool) -> None:
    if at_once:
        await asyncio.gather(*(operator.act(what) for what in acts))
        return
    for what in acts:
        await operator.act(what)


def _undone_as_it_must_be(run: Run, effects: dict[str, int]) -> None:
    """What was done is undone unless the run completed; then all of it was done."""
    done = {key.partition("#")[0] for key in effects if ".compensate." not in key and key.endswith(("first", "fetch"))}
    undone = {key.partition(".compensate.")[0] for key in effects if ".compensate." in key}
    if run.status == "completed":
        assert run.output == [[0, 1, 2, 3, 4, 5], 4]
        assert undone == set()
        assert len(done) == 7
    else:
        assert undone == done
