"""One run per step kind and feature, to be recorded once and replayed for ever. A case says what happens meanwhile."""

from collections.abc import Mapping
from typing import Any

from app.db.models import Run
from app.json import JsonObject
from tests.replay.approval_cases import APPROVALS
from tests.replay.case import Case, Drive
from tests.replay.starting import STARTING
from tests.replay.surviving import SURVIVING
from tests.support.engine import Engine, http


def _get(id: str, path: str, **more: Any) -> JsonObject:
    return http(id, "{{ trigger.url }}" + path, **more)


def _put(id: str, value: Any = 1, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


def _wait(id: str, event: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "wait_for_event", "event": event, **more}


def _when(id: str, *steps: JsonObject, **more: Any) -> JsonObject:
    branch = {"when": "{{ trigger.url | length > 0 }}", "name": "holds", "steps": list(steps)}
    return {"id": id, "type": "condition", "branches": [branch], "else": [_put(f"{id}_else")], **more}


def _computes(id_: str) -> JsonObject:
    """Four fifths of what one evaluation may cost, at little time; ten of them are as much as one task computes."""
    return {"id": id_, "type": "transform", "mapping": dict.fromkeys("abcd", "{{ range(9999) | length }}")}


def _rounds(id_: str) -> JsonObject:
    """A fifth of what one evaluation may cost without the prices that came later, three fifths with them."""
    return {"id": id_, "type": "transform", "mapping": {"n": "{{ range(5000) | map('round') | length }}"}}


_HEAVY = [[_rounds(f"heavy_{number}_{part}") for part in range(3)] for number in range(16)]


def _branches(id: str, *branches: list[JsonObject], **more: Any) -> JsonObject:
    named = [{"name": f"b{number}", "steps": steps} for number, steps in enumerate(branches)]
    return {"id": id, "type": "parallel", "branches": named, **more}


def _loop(id: str, items: Any, *steps: JsonObject, **more: Any) -> JsonObject:
    return {"id": id, "type": "loop", "items": items, "steps": list(steps), **more}


def _sends(*events: tuple[str, str]) -> Drive:
    """Send each event once the step at its path waits."""

    async def drive(engine: Engine, run: Run) -> None:
        for path, event in events:
            await engine.at(run, path)
            await engine.send(event, {"for": path})

    return drive


def _cancels(path: str) -> Drive:
    async def drive(engine: Engine, run: Run) -> None:
        await engine.at(run, path)
        await engine.cancel(run)

    return drive


_ONCE: JsonObject = {"max_attempts": 1}
_AGAIN: JsonObject = {"max_attempts": 3, "initial_interval": "5ms"}
_BAD: JsonObject = {"id": "bad", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
_LAST = _put("last", "{{ status }}")

_KINDS: Mapping[str, Case] = {
    "action": Case({"steps": [_get("a", "/ok"), _get("b", "/ok")], "output": "{{ steps.b.output.body }}"}),
    "action_retried": Case({"steps": [_get("a", "/flaky/plain"), _put("b", "{{ steps.a.attempts }}")]}),
    "action_scheduled": Case({"settings": {"dispatch": "scheduled"}, "steps": [_get("a", "/flaky/scheduled")]}),
    "action_refused": Case({"steps": [_get("a", "/gone")], "finally": [_LAST]}, status="failed"),
    "action_large": Case({"steps": [_get("a", "/large"), _get("b", "/ok")]}),
    "action_inline": Case(
        {"steps": [{"id": "a", "type": "action", "action": "transform.map", "inputs": {"mapping": {"x": "{{ now }}"}}}]}
    ),
    "condition": Case({"steps": [_when("a", _get("inside", "/ok")), _put("b", when="{{ false }}")]}),
    "delay": Case({"steps": [{"id": "a", "type": "delay", "duration": "20ms"}, _get("b", "/ok")]}),
    "delay_past": Case({"steps": [{"id": "a", "type": "delay", "until": "2001-01-01T00:00:00Z"}]}),
    "delay_at": Case(
        {"steps": [{"id": "a", "type": "delay", "at": {"time": "09:00", "timezone": "Europe/Berlin"}}]},
        status="cancelled",
        drive=_cancels("a"),
    ),
    "wait_for_event": Case(
        {
            "steps": [
                _wait("a", "x.done", match={"for": "{{ 'a' }}"}, timeout="1h"),
                _get("b", "/ok"),
                _put("c", "{{ steps.a.event.id }}"),
            ]
        },
        drive=_sends(("a", "x.done")),
    ),
    "wait_timed_out": Case({"steps": [_wait("a", "x.never", timeout="20ms", on_timeout="fail")]}, status="failed"),
    "loop": Case({"steps": [_loop("a", [1, 2, 3], _get("inside", "/ok"), collect="{{ loop.index }}")]}),
    "loop_concurrent": Case(
        {
            "steps": [
                _loop(
                    "a",
                    [1, 2, 3, 4, 5],
                    _get("inside", "/ok"),
                    {"id": "pause", "type": "delay", "duration": "{{ item * 3 }}ms"},
                    concurrency=2,
                )
            ]
        }
    ),
    "loop_of_many": Case({"steps": [_loop("a", "{{ range(120) | list }}", _put("inside", "{{ item }}"))]}),
    "parallel": Case({"steps": [_branches("a", [_get("one", "/ok")], [_get("two", "/ok"), _put("three")])]}),
    "parallel_any": Case(
        {"steps": [_branches("a", [_wait("one", "x.one")], [_wait("two", "x.two")], wait_for="any"), _get("b", "/ok")]},
        drive=_sends(("a.two", "x.two")),
    ),
    "parallel_failed": Case({"steps": [_branches("a", [_wait("one", "x.one")], [_BAD])]}, status="failed"),
    "set_variable": Case(
        {
            "variables": {"n": 1},
            "steps": [
                {"id": "a", "type": "set_variable", "variables": {"n": "{{ vars.n + 1 }}"}},
                {"id": "b", "type": "set_variable", "variables": {"n": "{{ vars.n + 1 }}"}, "scope": "workflow"},
            ],
            "output": "{{ vars.n }}",
        }
    ),
    "transform": Case({"steps": [_put("a", {"deep": ["{{ trigger.url }}"]})], "output": "{{ steps.a.output }}"}),
    "filter": Case({"steps": [{"id": "a", "type": "filter", "items": [1, 2, 3], "where": "{{ item > 1 }}"}]}),
    "aggregate": Case({"steps": [{"id": "a", "type": "aggregate", "items": [1, 2, 3], "operation": "sum"}]}),
    "stop": Case(
        {
            "steps": [
                _loop(
                    "a",
                    [1, 2],
                    _branches("both", [_wait("wait", "x.never")], [{"id": "end", "type": "stop", "status": "failed"}]),
                )
            ],
            "finally": [_get("tell", "/ok"), _LAST],
        },
        status="failed",
    ),
    "breathing_together": Case(
        {"steps": [_branches("all", *([_computes(f"heavy_{number}")] for number in range(20)))]}
    ),
    # Recorded before there were the later prices, and after.
    "breathing_before_full_price": Case({"steps": [_branches("all", *_HEAVY)]}),
    "breathing_at_full_price": Case({"steps": [_branches("all", *_HEAVY)]}),
    "error_branch": Case(
        {"steps": [_get("a", "/gone", on_error="branch", error_steps=[_put("b", "{{ error.type }}")])]}
    ),
    "group_retried": Case(
        {"steps": [_when("a", _get("done", "/ok"), _get("again", "/flaky/group", retry=_ONCE), retry=_AGAIN)]}
    ),
    "group_timed_out": Case(
        {"steps": [_when("a", _wait("one", "x.one"), timeout="30ms", on_error="continue"), _get("b", "/ok")]}
    ),
    "run_timed_out": Case(
        {"settings": {"timeout": "50ms"}, "steps": [_wait("a", "x.never")], "finally": [_get("tell", "/ok")]},
        status="timed_out",
    ),
    "cancelled": Case(
        {
            "steps": [
                _branches("a", [_wait("one", "x.one")], [_loop("two", [1, 2], _wait("w", "x.w"), concurrency=2)])
            ],
            "finally": [_get("tell", "/ok"), _LAST],
        },
        status="cancelled",
        drive=_cancels("a.two[1].w"),
    ),
}

CASES: Mapping[str, Case] = {**_KINDS, **SURVIVING, **APPROVALS, **STARTING}
"""All of them, by the name of their file; the executions of a run that continued as new are `name.1` and so on."""
