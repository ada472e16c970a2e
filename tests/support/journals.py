"""Hand-made runs for the tests of redriving: definitions in short, records in the order they began."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.definition.model import Definition
from app.definition.parse import parse
from app.json import JsonObject
from app.services.seeding import Before, Row, Seed, seed
from app.temporal.messages import JournalState, StepRecord

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
BEGAN = "2030-01-01T10:00:00Z"
RUN_ID = "0193f000-0000-7000-8000-000000000001"

_TYPES = {"http": "action", "wait": "wait_for_event", "set": "set_variable"}


def step(id: str, type: str = "http", **fields: Any) -> JsonObject:
    """A step with what its kind needs: http, transform, wait, delay, set, loop, repeat, condition, parallel, stop."""
    needed: dict[str, JsonObject] = {
        "http": {"action": "http.request", "inputs": {"url": f"https://example.com/{id}"}},
        "transform": {"mapping": {"id": id}},
        "wait": {"event": "crm.deal.won"},
        "delay": {"duration": "2h"},
        "set": {"variables": {id: 1}},
        "loop": {"items": [1, 2, 3, 4, 5]},
        "repeat": {"until": "{{ true }}"},
    }
    return {"id": id, "type": _TYPES.get(type, type), **needed.get(type, {}), **fields}


def definition(*steps: JsonObject, **head: Any) -> Definition:
    """A definition of these steps."""
    return parse({"steps": list(steps), **head})


def record(path: str, status: str = "completed", type: str = "http", **fields: Any) -> StepRecord:
    """A record that began on 1 January 2030; its order is its place in the journal unless given."""
    ended = status in ("completed", "failed", "skipped", "cancelled")
    type = _TYPES.get(type, type)
    if status == "failed" and "error" not in fields:
        fields["error"] = {"type": "provider_rejected", "message": "402"}
        fields.setdefault("failed_path", path)
    return StepRecord(
        **{
            "path": path,
            "step_id": path.rpartition(".")[2],
            "name": path,
            "type": type,
            "status": status,
            "action": "http.request" if type == "action" else None,
            "output": {"from": path} if status == "completed" else None,
            "started_at": BEGAN,
            "finished_at": "2030-01-01T10:00:01Z" if ended else None,
            **fields,
        }
    )


def journal(*records: StepRecord, **fields: Any) -> JournalState:
    """A journal of these, in the order they began."""
    for place, each in enumerate(records, start=1):
        each.order = each.order or place
    over = sum(each.status in ("completed", "skipped") or each.handled for each in records)
    return JournalState(**{"records": list(records), "completed": over, "begun_steps": len(records), **fields})


def rows_of(state: JournalState) -> list[Row]:
    """The rows a run has written: one for each step that is over, with its key where it was an effect."""
    return [
        Row(one.path, one.status, f"{RUN_ID}/{one.path}" if one.type == "action" else None)
        for one in state.records
        if one.status == "completed"
    ]


def redriven(
    old: Definition,
    state: JournalState,
    *,
    to: Definition | None = None,
    from_step: str | None = None,
    error_path: str | None = None,
    rows: Sequence[Row] | None = None,
) -> Seed:
    """The seed of a redrive of a run that ended with this journal."""
    failed = [one.path for one in state.records if one.status == "failed" and not one.handled]
    before = Before(
        run_id=RUN_ID,
        journal=state,
        definition=old,
        error_path=error_path or (failed[-1] if failed else None),
        rows=rows_of(state) if rows is None else rows,
    )
    return seed(before, to or old, version=2, from_step=from_step, now=NOW, run_started_at=BEGAN)


def statuses(made: Seed) -> dict[str, str]:
    """Status by path of the records a seed begins with."""
    return {one.path: one.status for one in made.journal.records}


FIVE = definition(*(step(id) for id in "abcde"))
"""Five steps in a row."""


def after_c() -> JournalState:
    """The journal of a run of `FIVE` that failed at its third step."""
    return journal(record("a"), record("b"), record("c", "failed"))
