"""What a run holds is counted as it comes and goes, and anew when the run goes on in another execution."""

from dataclasses import replace

import pytest

from app.json import json_size
from app.temporal.messages import MOST_RUN_DATA, Carry, DataLimits, JournalState, LoopProgress, StepRecord
from app.temporal.plain import as_plain
from workflows.automation import MOST_CARRIED
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
    with pytest.raises(StepFailed, match=r"holds 126 bytes .* more than the 100 it may: .* or raise HOLDFAST_MAX_RUN"):
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


WHOLE = replace(LIMITS, whole=True)


def test_what_a_step_was_given_and_a_loop_goes_over_is_held() -> None:
    holdings = Holdings(WHOLE, Journal())
    holdings.begin("a", {"text": "x" * 40})
    holdings.keep(replace(a_record("a", None), inputs={"text": "x" * 40}))
    assert not is_full(holdings)
    holdings.go_over("each", ["x" * 50])
    assert is_full(holdings)
    holdings.forget("each[")
    assert not is_full(holdings)


def test_who_set_a_variable_is_held_where_the_journal_keeps_it() -> None:
    holdings = Holdings(WHOLE, Journal())
    for index in range(5):
        holdings.assign({"v": "x" * 38}, by=f"each[{index}].set")
        holdings.fold("each", index)
    assert not is_full(holdings)
    holdings.assign({"v": "x" * 38}, by="set")
    assert is_full(holdings)


def test_variables_are_refused_before_they_are_set() -> None:
    with pytest.raises(StepFailed, match="output: 56 bytes are more than the 50"):
        Holdings(WHOLE, Journal()).require_small({"v": "x" * 48})
    Holdings(LIMITS, Journal()).require_small({"v": "x" * 48})


def test_a_run_from_before_all_counted_goes_on_as_it_did() -> None:
    journal = Journal()
    journal.assign(a_record("set", None), {"v": "x" * 30})
    holdings = Holdings(LIMITS, journal)
    holdings.go_over("each", ["x" * 90])
    holdings.keep(replace(a_record("a", None), inputs="x" * 90))
    assert not is_full(holdings)


def test_what_a_run_may_hold_fits_into_what_it_may_take_along() -> None:
    limits = DataLimits(step_output=1024 * 1024, outputs=MOST_RUN_DATA, whole=True)
    journal = Journal()
    holdings = Holdings(limits, journal)
    for number in range(50):
        if is_full(holdings):
            break
        values = {f"v{number}": "x" * 950_000}
        record = journal.begin(a_record(f"s{number}", None))
        record.output = values
        holdings.require_small(values)
        journal.assign(record, values)
        holdings.assign(values, by=record.path)
        holdings.take(record.path, values)
        journal.finish(record, written=True)
        holdings.keep(record)
    assert number < 49
    assert json_size(as_plain(Carry(journal=journal.state()))) <= MOST_CARRIED
    with pytest.raises(StepFailed) as caught:
        holdings.require_room()
    assert "raise HOLDFAST" not in str(caught.value)


def test_the_next_execution_counts_all_of_it_again() -> None:
    journal = Journal()
    holdings = Holdings(WHOLE, journal)
    record = journal.begin(replace(a_record("set", {"v": "x" * 20}), inputs={"to": "ada"}))
    journal.assign(record, {"v": "x" * 20})
    holdings.assign({"v": "x" * 20}, by="set")
    holdings.take("set", record.output)
    holdings.keep(record)
    assert Holdings(WHOLE, journal)._total == holdings._total


def test_a_loop_whose_failure_was_dealt_with_holds_its_items_no_more() -> None:
    holdings = Holdings(WHOLE, Journal())
    holdings.go_over("each", ["x" * 99])
    assert is_full(holdings)
    holdings.keep(replace(a_record("each", None), status="failed"))
    assert is_full(holdings)
    holdings.keep(replace(a_record("each", None), status="failed", handled=True))
    assert not is_full(holdings)
