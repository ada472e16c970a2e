"""What an answer to an approval does to a run, and why one is refused. The handlers stand in `automation.py`.

The answer is kept in the record of the step that asked: it goes along wherever the record goes, into the next execution
as well, and a second answer finds it there.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from app.definition.durations import parse_moment
from app.json import JsonObject, json_size
from app.temporal import names
from app.temporal.messages import ApprovalAnswer, StepRecord
from workflows.state import RunState, now_text

SAID = ("decision", "answer", "comment", "by")
"""What makes two answers the same one."""


def answer(state: RunState, given: ApprovalAnswer) -> JsonObject:
    """Keep the first answer; answers it as it is kept."""
    state.note_message(json_size([given.answer, given.comment]))
    wait = state.journal.records[given.path].wait
    assert wait is not None, "the answer was checked"
    if "answer" not in wait:
        wait["answer"] = {**{name: getattr(given, name) for name in SAID}, "via": given.via, "at": now_text()}
    kept: JsonObject = wait["answer"]
    return kept


def check(state: RunState, given: ApprovalAnswer) -> None:
    """Refuse an answer to what is not asked, or not any more, and one that contradicts the answer that was first."""
    record = state.journal.records.get(given.path)
    kept = _kept(record)
    if kept is not None:
        if any(kept[name] != getattr(given, name) for name in SAID):
            told = f"{given.path!r} is answered already: {kept['by']} {kept['decision']} it at {kept['at']}"
            raise _refusal(names.APPROVAL_ANSWERED, told)
    elif record is None or not _is_open(record, workflow.now()):
        waiting = [path for path, one in state.journal.records.items() if _is_open(one, workflow.now())]
        told = f"open are {', '.join(waiting)}" if waiting else "none is open"
        raise _refusal(names.APPROVAL_NOT_OPEN, f"no approval can be answered at {given.path!r}: {told}")


def _kept(record: StepRecord | None) -> JsonObject | None:
    return record.wait.get("answer") if record is not None and record.wait is not None else None


def _is_open(record: StepRecord, now: datetime) -> bool:
    wait = record.wait or {}
    if record.status != "waiting" or wait.get("kind") != "approval":
        return False
    return wait["until"] is None or now < parse_moment(wait["until"])


def _refusal(type: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=type, non_retryable=True)
