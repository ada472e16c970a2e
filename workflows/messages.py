"""What messages do to a run and why they are refused. The handlers stand in `automation.py`.

A refusal is an application error with a type of `app.temporal.names`; a refused update leaves nothing in the history.
"""

from collections.abc import Sequence
from typing import NoReturn

from temporalio.exceptions import ApplicationError

from app.definition import conditions
from app.definition.event_types import fits
from app.json import JsonObject, json_size
from app.temporal import names
from app.temporal.child_messages import ChildEnded
from app.temporal.messages import Decision, SignalledEvent, StepRecord
from workflows.state import RunState

DECISIONS = ("retry", "skip", "fail")


def deliver(state: RunState, paths: Sequence[str], event: JsonObject) -> list[str]:
    """Hand an event to the waits at these paths, those aside that wait no longer; answers which got it."""
    state.note_message(json_size(event))
    got = [path for path in paths if _waits(state.journal.records.get(path))]
    for path in got:
        state.inbox.put(path, event)
    return got


def child_ended(state: RunState, ended: ChildEnded) -> None:
    """Keep how a child ended for the step that started it. A step may hear of it before it has begun: a task that is
    made again comes to it later."""
    state.note_message(json_size([ended.output, ended.error]))
    if not state.journal.has_ended(ended.path):
        state.children[ended.key] = ended


def paths_for(state: RunState, signalled: SignalledEvent) -> list[str]:
    """The open waits that this event ends."""
    return [record.path for record in _asked(state, signalled) if _matches(record, signalled.event)]


def check_signal(state: RunState, signalled: SignalledEvent) -> None:
    """Refuse an event that no wait of the run takes."""
    _require_under_way(state)
    asked = _asked(state, signalled)
    if not asked:
        waits = [f"{record.path} for {_wait(record)['event']}" for record in _event_waits(state)]
        at = f" at {signalled.path!r}" if signalled.path else ""
        _refuse(names.NOT_WAITING, f"the run waits for no event{at}; it waits {_listed('at', waits)}")
    if not any(_matches(record, signalled.event) for record in asked):
        waits = [f"{record.path} for {_wait(record)['event']}" for record in asked]
        type_ = signalled.event.get("type")
        _refuse(
            names.EVENT_DOES_NOT_MATCH,
            f"an event {type_!r} with this data ends none of the run's waits: type and `match` must fit; it waits "
            + _listed("at", waits),
        )


def check_pause(state: RunState) -> None:
    """Refuse to pause what is paused or ending."""
    _require_under_way(state)
    if state.paused:
        _refuse(names.ALREADY_PAUSED, "the run is paused already; resume it to let it go on")


def check_resume(state: RunState) -> None:
    """Refuse to resume what is not paused."""
    if not state.paused:
        _refuse(names.NOT_PAUSED, f"the run is not paused, it is {state.status}")


def check_decision(state: RunState, decision: Decision) -> None:
    """Refuse a decision about a step that is not held, or that makes no sense for it."""
    record = state.journal.records.get(decision.path)
    if record is None or record.status != "held" or decision.path in state.decisions:
        held = [one.path for one in state.journal.records.values() if one.status == "held"]
        _refuse(names.NOT_HELD, f"the step {decision.path!r} is not held; held {_listed('are', held)}")
    if decision.decision not in DECISIONS:
        _refuse(names.INVALID_DECISION, f"{decision.decision!r} is no decision: {', '.join(DECISIONS)} are")
    if decision.inputs is not None and (decision.decision != "retry" or record.type != "action"):
        _refuse(names.INVALID_DECISION, "inputs go with the retry of an action, and with nothing else")
    if decision.output is not None and decision.decision != "skip":
        _refuse(names.INVALID_DECISION, "output goes with skip, and with nothing else")


def _asked(state: RunState, signalled: SignalledEvent) -> list[StepRecord]:
    return [record for record in _event_waits(state) if signalled.path in (None, record.path)]


def _event_waits(state: RunState) -> list[StepRecord]:
    return [record for record in state.journal.records.values() if _waits(record)]


def _waits(record: StepRecord | None) -> bool:
    return record is not None and record.status == "waiting" and (record.wait or {}).get("kind") == "event"


def _matches(record: StepRecord, event: JsonObject) -> bool:
    wait = _wait(record)
    return fits(wait["event"], str(event.get("type"))) and conditions.event_matches(
        wait.get("match"), event, wait.get("context") or {}
    )


def _wait(record: StepRecord) -> JsonObject:
    assert record.wait is not None, "a step that waits says for what"
    return record.wait


def _require_under_way(state: RunState) -> None:
    if state.ending is not None:
        _refuse(names.RUN_ENDING, f"the run is ending ({state.ending.status}); only what it does at its end is left")


def _listed(verb: str, what: Sequence[str]) -> str:
    return f"{verb} {', '.join(what)}" if what else "nowhere"


def _refuse(type: str, message: str) -> NoReturn:
    raise ApplicationError(message, type=type, non_retryable=True)
