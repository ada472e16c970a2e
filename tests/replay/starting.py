"""Recorded runs that start runs, and that answer their callers. Each runs its own workflow, once, as a `leaf`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.db.models import Run
from app.json import JsonObject
from tests.replay.case import Case
from tests.support.engine import Engine
from tests.support.steps import QUICK, delay, loop, parallel, put, stop, wait
from tests.support.waiting import eventually

_TOP = "{{ not (trigger.leaf | default(false)) }}"
_LEAF = "{{ trigger.leaf | default(false) }}"


def _own(id: str, **more: Any) -> JsonObject:
    """A run of the same workflow, in which no other one is started."""
    inputs = {"url": "{{ trigger.url }}", "leaf": True}
    return {
        "id": id,
        "type": "run_workflow",
        "workflow": "{{ run.workflow_id }}",
        "inputs": inputs,
        "when": _TOP,
        **more,
    }


def _respond(id: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "respond", "status": 201, "body": {"url": "{{ trigger.url }}"}, **more}


async def _cancels(engine: Engine, run: Run) -> None:
    await engine.at(run, "child")
    await engine.cancel(run)


async def _answers_the_leaf(engine: Engine, run: Run) -> None:
    async def beside() -> bool:
        return (await engine.record(run, "both.each")).status == "completed"

    await eventually(beside)
    await engine.send("go")


_STARTING: Mapping[str, Case] = {
    "run_workflow": Case({"steps": [_own("child"), put("b")], "output": "{{ steps.child.output | default('leaf') }}"}),
    "run_workflow_aside": Case({"steps": [_own("child", wait=False), put("b")]}),
    "run_workflow_failed": Case(
        {"steps": [stop("end", "failed", when=_LEAF), _own("child", retry=QUICK)]}, status="failed"
    ),
    "run_workflow_refused": Case(
        {"steps": [{"id": "child", "type": "run_workflow", "workflow": "{{ 'nowhere' }}"}]}, status="failed"
    ),
    "run_workflow_cancelled": Case(
        {"steps": [_own("child"), wait("w", when=_LEAF)]}, status="cancelled", drive=_cancels
    ),
    "run_workflow_timed_out": Case(
        {"steps": [_own("child", timeout="100ms", on_error="continue"), wait("w", when=_LEAF)]}
    ),
    "run_workflow_beside": Case(
        {
            "steps": [
                parallel("both", [_own("one")], [_own("two"), put("after")], [_respond("answer", when=_TOP)], when=_TOP)
            ]
        }
    ),
    "run_workflow_continued": Case(
        {"steps": [loop("each", 4, _own("child"), put("b"), when=_TOP), put("c")]}, most_events=12
    ),
    "run_workflow_continued_beside": Case(
        {
            "steps": [
                wait("w", when=_LEAF),
                parallel("both", [_own("child")], [loop("each", 8, delay("pause", "1ms"))], when=_TOP),
            ]
        },
        drive=_answers_the_leaf,
        most_events=40,
    ),
    "respond": Case({"steps": [_respond("a"), _respond("b", status=500), put("c", "{{ steps.b.output.answered }}")]}),
    "respond_refused": Case({"steps": [_respond("a", status="{{ 7 }}")]}, status="failed"),
}

STARTING: Mapping[str, Case] = {
    # A worker that keeps no run in memory gives up one's local activity when another's task comes, for ten seconds.
    name: replace(case, slow=name.startswith("run_workflow") and name != "run_workflow_refused")
    for name, case in _STARTING.items()
}
