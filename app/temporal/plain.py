"""Messages as plain JSON values, and what a run carries along read back from them: both without copying every value.

`dataclasses.asdict` and the SDK's reading of type hints look at each value by itself; a long journal would take them
longer than a workflow task may compute.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from app.json import Json, JsonObject
from app.temporal.child_messages import ChildEnded
from app.temporal.messages import (
    Assignment,
    Carry,
    Compensation,
    Decision,
    JournalState,
    LoopProgress,
    RepeatProgress,
    RunResult,
    StepRecord,
    WaitingEvent,
)

MessageT = TypeVar("MessageT")


class CarriedInput(dict[str, Json]):
    """A run's input as plain JSON, for its next execution."""


def as_plain(value: Any) -> Json:
    """A message as the payload converter would write it; lists and objects of JSON are not copied but shared."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list) and value and is_dataclass(value[0]):
        return [as_plain(part) for part in value]
    if isinstance(value, dict) and value and is_dataclass(next(iter(value.values()))):
        return {name: as_plain(part) for name, part in value.items()}
    return value


def read_carry(plain: JsonObject) -> Carry:
    """A `Carry` as `as_plain` wrote it. Fields that this release does not know are left out."""
    parts = {
        "journal": _read_journal(plain["journal"]),
        "ending": _read(RunResult, plain["ending"]) if plain.get("ending") else None,
        "events": [_read(WaitingEvent, one) for one in plain.get("events", ())],
        "decisions": _read_all(Decision, plain.get("decisions", {})),
        "children": [_read(ChildEnded, one) for one in plain.get("children", ())],
    }
    return _read(Carry, {**plain, **parts})


def _read_journal(plain: JsonObject) -> JournalState:
    parts = {
        "records": [_read(StepRecord, one) for one in plain.get("records", ())],
        "loops": _read_all(LoopProgress, plain.get("loops", {})),
        "repeats": _read_all(RepeatProgress, plain.get("repeats", {})),
        "assignments": _read_all(Assignment, plain.get("assignments", {})),
        "compensations": [_read(Compensation, one) for one in plain.get("compensations", ())],
    }
    return _read(JournalState, {**plain, **parts})


def _read_all(message: type[MessageT], plain: Mapping[str, JsonObject]) -> dict[str, MessageT]:
    return {name: _read(message, one) for name, one in plain.items()}


_KNOWN: dict[type, frozenset[str]] = {
    message: frozenset(field.name for field in fields(message))
    for message in (
        Assignment, Carry, ChildEnded, Compensation, Decision, JournalState, LoopProgress, RepeatProgress, RunResult,
        StepRecord, WaitingEvent,
    )
}  # fmt: skip


def _read(message: type[MessageT], plain: JsonObject) -> MessageT:
    known = _KNOWN[message]
    return message(**{name: value for name, value in plain.items() if name in known})
