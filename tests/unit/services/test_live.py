"""Rows and what the run says of itself, as one list: neither hides what the other knows."""

from typing import Any
from uuid import UUID

from app.db.models import Run, Step
from app.json import JsonObject
from app.services.live import merged_steps, with_timeline
from app.temporal.messages import StepRecord, Timeline

ID = UUID("01890000-0000-7000-8000-000000000000")


def a_row(path: str = "charge", status: str = "completed", **columns: Any) -> Step:
    defaults = {
        "sequence": 1, "generation": 1, "attempt": 1, "inputs": None, "output": None, "error": None, "wait": None,
        "decision": None,
    }  # fmt: skip
    return Step(
        workspace_id=ID, run_id=ID, path=path, step_id=path, name=path, type="action", status=status,
        **{**defaults, **columns},
    )  # fmt: skip


def a_record(path: str = "charge", status: str = "completed", **fields: Any) -> StepRecord:
    return StepRecord(path=path, step_id=path, name=path, type="action", status=status, **{"order": 1, **fields})


def merged(rows: list[Step], records: list[StepRecord]) -> list[Step]:
    return merged_steps(rows, records, ID, ID)


def an_error(message: str) -> JsonObject:
    return {"type": "provider_rejected", "message": message}


def test_what_the_run_leaves_out_of_a_finished_step_comes_from_its_row() -> None:
    [step] = merged([a_row(inputs={"a": 1}, output={"b": 2})], [a_record(inputs=None, output=None)])
    assert (step.inputs, step.output) == ({"a": 1}, {"b": 2})


def test_a_finished_step_without_a_row_is_shown_as_the_run_knows_it() -> None:
    [step] = merged([], [a_record(inputs={"a": 1}, output={"b": 2})])
    assert (step.status, step.inputs, step.output) == ("completed", {"a": 1}, {"b": 2})
    [step] = merged([a_row(status="waiting")], [a_record(output={"b": 2})])
    assert (step.status, step.output) == ("completed", {"b": 2})


def test_a_step_that_is_begun_anew_is_shown_anew_with_what_was_decided() -> None:
    told = {"decision": "retry", "by": "Ada", "at": "2030-01-01T00:00:00Z"}
    old = a_row(status="held", error=an_error("no"))
    [step] = merged([old], [a_record(status="running", generation=2, order=5, decision=told)])
    assert (step.status, step.generation, step.error, step.decision) == ("running", 2, None, told)
    [step] = merged([a_row(generation=2, decision=told)], [a_record(status="held", generation=1)])
    assert (step.status, step.generation) == ("completed", 2)


def test_an_attempt_that_failed_just_now_counts_with_its_own_error() -> None:
    row = a_row(status="running", attempt=2, error=an_error("second"), inputs={"a": 1})
    [step] = merged([row], [a_record(status="running", attempt=2, error=an_error("first"))])
    assert (step.attempt, step.error, step.inputs) == (2, an_error("second"), {"a": 1})
    [step] = merged([row], [a_record(status="running", attempt=3, error=an_error("second"))])
    assert step.attempt == 3


def a_run(**columns: Any) -> Run:
    return Run(id=ID, steps_completed=0, **{"status": "running", "error": None, **columns})


def a_timeline(status: str, *records: StepRecord) -> Timeline:
    return Timeline(
        status=status, current_step=None, waiting_for=None, steps_completed=0, steps=list(records), variables={}
    )


def test_a_held_run_shows_why_until_it_goes_on() -> None:
    held = a_record("each[1].charge", "held", error={**an_error("no"), "retryable": False})
    held.step_id, held.failed_path = "charge", "each[1].charge"
    run = with_timeline(a_run(), a_timeline("held", held))
    assert run.error == {**an_error("no"), "step_id": "charge", "path": "each[1].charge"}
    assert with_timeline(run, a_timeline("running", a_record(status="running"))).error is None


def test_a_run_that_has_ended_is_as_its_row_says() -> None:
    run = with_timeline(a_run(status="failed", error=an_error("no")), a_timeline("running"))
    assert (run.status, run.error) == ("failed", an_error("no"))
