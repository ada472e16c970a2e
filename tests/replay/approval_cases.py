"""Runs that ask people: answered, rejected, in vain, asked again, and answered in a later execution."""

from collections.abc import Mapping
from typing import Any

from app.db.models import Run
from app.json import JsonObject
from tests.replay.case import Case, Drive
from tests.support.approving import approve, ask
from tests.support.engine import Engine, http


def _answers(path: str = "a", decision: Any = "approve", **more: Any) -> Drive:
    async def drive(engine: Engine, run: Run) -> None:
        await approve(engine, run, path, decision, **more)

    return drive


async def _rejects_and_has_it_asked_again(engine: Engine, run: Run) -> None:
    await approve(engine, run, "a", "reject", comment="not yet")
    await engine.is_(run, "held")
    await engine.decide(run, "a", "retry")
    await approve(engine, run, "a")


def _answers_once(at: str, status: str = "waiting", path: str = "a") -> Drive:
    async def drive(engine: Engine, run: Run) -> None:
        await engine.at(run, at, status)
        await approve(engine, run, path)

    return drive


async def _answers_when_all_else_is_done(engine: Engine, run: Run) -> None:
    await engine.at(run, "both.busy", "completed")
    await approve(engine, run, "both.a", answer={"n": 3})


_FORM: JsonObject = {"type": "object", "properties": {"n": {"type": "integer"}}}
_TELL = http(
    "tell", "{{ trigger.url }}/ok", inputs={"method": "POST", "json": {"link": "{{ approval.links[0].link }}"}}
)
_BUSY: JsonObject = {
    "id": "busy",
    "type": "loop",
    "items": "{{ range(12) | list }}",
    "steps": [{"id": "pause", "type": "delay", "duration": "5ms"}],
}

_LONG: JsonObject = {"id": "long", "type": "delay", "duration": "1h"}

APPROVALS: Mapping[str, Case] = {
    "approval": Case(
        {
            "steps": [ask("a", form=_FORM, approvers=["ann", "bob"], timeout="1h", notify=[_TELL])],
            "output": "{{ steps.a.output.answer }}",
        },
        drive=_answers(answer={"n": 2}),
    ),
    "approval_rejected": Case(
        {"steps": [ask("a", on_reject="fail")]}, status="failed", drive=_answers(decision="reject", comment="no")
    ),
    "approval_timed_out": Case({"steps": [ask("a", timeout="20ms", notify=[_TELL])]}),
    "approval_asked_again": Case(
        {"steps": [ask("a", on_reject="fail", on_error="hold", notify=[_TELL])]}, drive=_rejects_and_has_it_asked_again
    ),
    "approval_continued": Case(
        {
            "steps": [
                {
                    "id": "both",
                    "type": "parallel",
                    "branches": [
                        {"name": "ask", "steps": [ask("a", form=_FORM, timeout="1h", notify=[_TELL])]},
                        {"name": "busy", "steps": [_BUSY]},
                    ],
                }
            ],
            "output": "{{ steps.a.output.answer }}",
        },
        drive=_answers_when_all_else_is_done,
        most_events=40,
    ),
    # Since people are told while the answer is waited for.
    "approval_told": Case(
        {"steps": [ask("a", approvers=["ann", "bob"], timeout="1h", notify=[_TELL])]},
        drive=_answers_once("a.tell", "completed"),
    ),
    "approval_answered_while_telling": Case(
        {"steps": [ask("a", notify=[_TELL, _LONG])]}, drive=_answers_once("a.long")
    ),
    "approval_over_while_telling": Case({"steps": [ask("a", timeout="200ms", notify=[_LONG])]}),
    "approval_told_in_vain": Case({"steps": [ask("a", notify=[http("tell", "{{ trigger.url }}/gone")])]}, "failed"),
    "approval_of_nobody": Case({"steps": [ask("a", approvers="{{ [] }}")]}, "failed"),
    "approval_told_later": Case(
        {"steps": [ask("a", form=_FORM, timeout="1h", notify=[_TELL, _BUSY, _LONG])]},
        drive=_answers_once("a.long"),
        most_events=40,
    ),
}
"""Links are signed by the recorder's own keys: no history opens anything."""
