"""Runs that survive: continued as new, held, compensated, repeated, paused, redriven, tried again, signalled."""

from collections.abc import Mapping
from typing import Any

from app.db.models import Run
from app.json import JsonObject
from app.services import redriving
from tests.replay.case import Case, Drive
from tests.support.engine import Engine, http
from tests.support.lost_task import cancel_while_lost, tasks_lost
from tests.support.steps import BAD, ONCE, QUICK, delay, group, let, loop, parallel, put, repeat, wait

HOLD: JsonObject = {"on_error": "hold"}
LAST = put("last", "{{ status }}")
LONG_PAUSE: JsonObject = {"max_attempts": 3, "initial_interval": "11s", "jitter": 0}
"""Longer than Temporal makes one while others go on beside it."""


def _get(id: str, path: str = "/ok", **more: Any) -> JsonObject:
    return http(id, "{{ trigger.url }}" + path, **more)


UNDONE: JsonObject = {"compensate": [_get("undo", "/ok")]}


def _sends(*events: tuple[str, str]) -> Drive:
    """Send each event once the step at its path waits."""

    async def drive(engine: Engine, run: Run) -> None:
        for path, event in events:
            await engine.at(run, path)
            await engine.send(event, {"for": path})

    return drive


def _signals(path: str, event: str) -> Drive:
    async def drive(engine: Engine, run: Run) -> None:
        await engine.at(run, path)
        assert await engine.signal(run, event, {"n": 1}) == [path]

    return drive


def _cancels(path: str, status: str = "waiting") -> Drive:
    async def drive(engine: Engine, run: Run) -> None:
        await engine.at(run, path, status)
        await engine.cancel(run)

    return drive


def _decides(*decisions: tuple[str, str, JsonObject]) -> Drive:
    """Decide once the step at the path is held."""

    async def drive(engine: Engine, run: Run) -> None:
        for path, decision, more in decisions:
            await engine.at(run, path, "held")
            await engine.decide(run, path, decision, **more)

    return drive


async def _retries_with_inputs(engine: Engine, run: Run) -> None:
    """The second try has inputs of the operator's own."""
    await engine.at(run, "a", "held")
    assert isinstance(run.input, dict)
    await engine.decide(run, "a", "retry", inputs={"url": f"{run.input['url']}/ok", "headers": {"X-By": "hand"}})


async def _pauses(engine: Engine, run: Run) -> None:
    """Paused while it waits, resumed when the wait is over."""
    await engine.at(run, "a")
    await engine.pause(run)
    await engine.send("x.go", 1)
    await engine.at(run, "a", "completed")
    await engine.resume(run)


async def _pauses_and_cancels(engine: Engine, run: Run) -> None:
    await engine.at(run, "a")
    await engine.pause(run)
    await engine.cancel(run)


async def _cancels_while_lost(engine: Engine, run: Run) -> None:
    await engine.at(run, "a")
    async with tasks_lost():
        await engine.send("x.go")
        await cancel_while_lost(engine, run)


async def _redrives(engine: Engine, run: Run) -> Run:
    """Record the run that begins with the journal of the first."""
    await engine.end(run)
    return await redriving.redrive(engine.platform, engine.workspace_id, run.id)


_BESIDE = parallel(
    "both",
    [loop("each", 8, delay("pause", "2ms"), _get("inside"), let("add", n="{{ vars.n + 1 }}"))],
    [wait("reply", "x.reply", timeout="1h"), put("replied", "{{ steps.reply.event.id }}")],
)

SURVIVING: Mapping[str, Case] = {
    "continued": Case(
        {
            "variables": {"n": 0},
            "steps": [
                _get("first", **UNDONE),
                loop("each", 12, _get("inside"), let("add", n="{{ vars.n + item }}"), collect="{{ item }}"),
                repeat("poll", _get("check"), until="{{ loop.number == 6 }}", interval="1ms"),
            ],
            "output": ["{{ steps.each.output }}", "{{ vars.n }}"],
        },
        most_events=18,
    ),
    "continued_beside_a_wait": Case(
        {"variables": {"n": 0}, "steps": [_BESIDE], "output": "{{ vars.n }}"},
        drive=_sends(("both.reply", "x.reply")),
        most_events=30,
    ),
    "continued_within_limits": Case(
        {
            "settings": {"timeout": "1h"},
            "steps": [
                group(
                    "limited",
                    repeat("poll", delay("pause", "20ms"), until="{{ false }}", max_iterations=1000),
                    timeout="400ms",
                    retry={"max_attempts": 2, "initial_interval": "1ms", "jitter": 0},
                    on_error="continue",
                ),
                put("after", "{{ steps.limited.attempts }}"),
            ],
        },
        most_events=40,
    ),
    "continued_while_compensating": Case(
        {
            "steps": [loop("each", 10, _get("book", **UNDONE), collect="{{ item }}"), BAD],
            "finally": [_get("tell", "/ok"), LAST],
        },
        status="failed",
        most_events=16,
    ),
    "held_and_retried": Case(
        {"steps": [_get("a", "/lost/held", **HOLD), put("b", "{{ steps.a.status }}")]},
        drive=_decides(("a", "retry", {})),
    ),
    "held_and_given_inputs": Case(
        {"steps": [_get("a", "/gone", **HOLD)], "output": "{{ steps.a.output.status_code }}"},
        drive=_retries_with_inputs,
    ),
    "held_and_skipped": Case(
        {"steps": [loop("each", 2, {**BAD, **HOLD}, concurrency=2, collect="{{ steps.bad.output }}")]},
        drive=_decides(("each[0].bad", "skip", {"output": 1}), ("each[1].bad", "skip", {"output": 2})),
    ),
    "held_on_failure": Case(
        {
            "settings": {"on_failure": "hold"},
            "steps": [group("g", _get("a", "/lost/on_failure")), BAD],
            "finally": [LAST],
        },
        status="failed",
        drive=_decides(("g.a", "retry", {}), ("bad", "fail", {})),
    ),
    "held_and_cancelled": Case(
        {"steps": [_get("a", **UNDONE), {**BAD, **HOLD}], "finally": [LAST]},
        status="cancelled",
        drive=_cancels("bad", "held"),
    ),
    "compensated": Case(
        {
            "steps": [
                _get("a", **UNDONE),
                loop("each", 2, _get("b", compensate=[_get("undo_b", "/gone")])),
                group("g", put("c"), compensate=[delay("pause", "2ms"), put("undo_g", "{{ error.type }}")]),
                BAD,
            ],
            "finally": [_get("tell"), LAST],
        },
        status="failed",
    ),
    "cancelled_and_compensated": Case(
        {"steps": [_get("a", **UNDONE), _get("b", compensate=[_get("undo_b")]), wait("w", "x.never")]},
        status="cancelled",
        drive=_cancels("w"),
    ),
    "timers_already_due": Case(
        {
            "steps": [
                parallel(
                    "all",
                    [delay("one", "30ms"), put("one_done")],
                    [delay("two", "30ms"), put("two_done")],
                    [wait("three", "x.never", timeout="30ms"), delay("four", "1ms")],
                    [{"id": "past", "type": "delay", "until": "2001-01-01T00:00:00Z"}, wait("five", "x", timeout="0s")],
                )
            ]
        }
    ),
    "parallel_waits": Case(
        {
            "steps": [
                parallel(
                    "all",
                    [wait("one", "x.one", timeout="1h")],
                    [wait("two", "x.*", match={"for": "all.two"}), put("two_done")],
                    [wait("three", "x.never", timeout="50ms")],
                )
            ]
        },
        drive=_sends(("all.one", "x.one"), ("all.two", "x.two")),
    ),
    "repeat_until": Case(
        {
            "steps": [
                repeat("poll", _get("check"), put("n", "{{ loop.number }}"), until="{{ steps.n.output.value == 3 }}"),
                repeat(
                    "again", put("m"), until="{{ false }}", interval="2ms", max_iterations=3, on_exhausted="continue"
                ),
            ],
            "output": ["{{ steps.poll.output.iterations }}", "{{ steps.again.output.done }}"],
        }
    ),
    "repeat_while": Case(
        {
            "variables": {"n": 0},
            "steps": [repeat("poll", let("up", n="{{ vars.n + 1 }}"), _get("a"), **{"while": "{{ vars.n < 2 }}"})],
            "output": "{{ vars.n }}",
        }
    ),
    "repeat_of_many": Case({"steps": [repeat("poll", put("a"), until="{{ loop.number == 230 }}")]}),
    "paused": Case({"steps": [wait("a", "x.go"), _get("b"), put("c")]}, drive=_pauses),
    "paused_and_cancelled": Case(
        {"steps": [_get("first", **UNDONE), wait("a", "x.go"), _get("b")], "finally": [LAST]},
        status="cancelled",
        drive=_pauses_and_cancels,
    ),
    "signalled": Case(
        {"steps": [wait("a", "x.*", match={"n": 1}), _get("b")], "output": "{{ steps.a.output.n }}"},
        drive=_signals("a", "x.signal"),
    ),
    "retry_on": Case(
        {
            "steps": [
                _get("a", "/lost/retry_on", retry={**QUICK, "retry_on": ["provider_rejected"]}),
                group(
                    "g",
                    _get("b"),
                    _get("c", "/lost/group_retry_on", retry=ONCE),
                    retry={**QUICK, "retry_on": ["provider_rejected"]},
                ),
            ]
        }
    ),
    "redriven": Case(
        {
            "variables": {"n": 0},
            "steps": [
                _get("a"),
                loop("each", 3, let("add", n="{{ vars.n + item }}"), _get("inside")),
                parallel("both", [_get("lost", "/lost/redriven")], [_get("other"), delay("pause", "1ms")]),
                put("last", "{{ vars.n }}"),
            ],
            "output": "{{ steps.last.output.value }}",
        },
        drive=_redrives,
    ),
    "cancelled_while_lost": Case(
        {
            "variables": {"n": 0},
            "steps": [
                wait("a", "x.go"),
                _get("first", **UNDONE),
                let("one", n=1),
                loop("each", 2, _get("inside", compensate=[_get("undo_inside")])),
                _get("last"),
            ],
            "finally": [put("told", "{{ status }}")],
        },
        status="cancelled",
        drive=_cancels_while_lost,
        loses_a_task=True,
        slow=True,
    ),
    "long_pause_beside": Case(
        {"steps": [parallel("both", [_get("down", "/flaky/beside", retry=LONG_PAUSE)], [_get("other"), put("n")])]},
        slow=True,
    ),
}
