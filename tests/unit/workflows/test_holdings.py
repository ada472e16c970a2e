"""What a run holds is counted as it comes and goes, and anew when the run goes on in another execution."""

import pytest

from app.temporal.messages import DataLimits, JournalState, LoopProgress, StepRecord
from workflows.failures import StepFailed
from workflows.holdings import Holdings
from workflows.journal import Journal

LIMITS = DataLimits(step_output=50, outputs=100)


def a_record(path: str, output: object) -> StepRecord:
    return StepRecord(path=path, step_id=path, name=path, type="transform", status="completed", output=output)


def is_full(holdings: Holdings) -> bool:
    try:
        holdings.require_room()
    except StepFailed:
        return True
    return False


def test_a_step_gives_no_more_than_it_may() -> None:
    holdings = Holdings(LIMITS, Journal())
    holdings.take("a", "x" * 48)
    with pytest.raises(StepFailed, match="output: 51 bytes are more than the 50"):
        holdings.take("b", "x" * 49)


def test_the_items_of_a_loop_are_one_output() -> None:
    holdings = Holdings(LIMITS, Journal())
    for _ in range(4):
        holdings.take_item("each", "x" * 9)
    with pytest.raises(StepFailed, match="output: 65 bytes are more than the 50"):
        holdings.take_item("each", "x" * 13)


def test_what_is_forgotten_or_replaced_makes_room() -> None:
    holdings = Holdings(LIMITS, Journal())
    for path in ("each[0].a", "each[0].b", "c"):
        holdings.take(path, "x" * 40)
    with pytest.raises(StepFailed, match="the run holds 126 bytes of outputs and variables, more than the 100 it may"):
        holdings.require_room()
    holdings.forget("each[0].")
    assert not is_full(holdings)
    for _ in range(5):
        holdings.take("c", "x" * 40)
    assert not is_full(holdings)


def test_the_next_execution_counts_what_the_journal_brings() -> None:
    records = [a_record("a", "x" * 40), a_record("none", None)]
    loops = {"each": LoopProgress(items=[1, 2], results=[[0, "x" * 30]])}
    state = JournalState(records=records, loops=loops, variables={"v": "x" * 19})
    holdings = Holdings(LIMITS, Journal(state))
    assert is_full(holdings)
    holdings.forget("each[")
    assert not is_full(holdings)
    with pytest.raises(StepFailed):
        Holdings(LIMITS, Journal(state)).take_item("each", "x" * 20)


def test_a_run_from_before_there_were_limits_has_none() -> None:
    holdings = Holdings(None, Journal(JournalState(records=[a_record("a", "x" * 1000)])))
    holdings.take("b", "x" * 1000)
    holdings.take_item("each", "x" * 1000)
    holdings.assign({"v": "x" * 1000})
    assert not is_full(holdings)
