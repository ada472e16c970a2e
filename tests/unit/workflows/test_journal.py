"""The run's memory: what is begun anew, what is kept, what is forgotten."""

from app.temporal.messages import StepRecord
from workflows.journal import Journal, Progress


def fresh(path: str = "a") -> StepRecord:
    return StepRecord(path=path, step_id=path, name=path, type="action", status="running")


def walked(journal: Journal, path: str, status: str, *, written: bool = False, handled: bool = False) -> StepRecord:
    record = journal.begin(fresh(path))
    record.status, record.handled = status, handled
    journal.finish(record, written=written)
    return record


def test_steps_are_numbered_in_the_order_they_begin() -> None:
    journal = Journal()
    assert [walked(journal, path, "completed").order for path in ("b", "a", "c")] == [1, 2, 3]


def test_a_step_that_is_over_is_not_begun_again() -> None:
    journal = Journal()
    for path, status, handled in (("a", "completed", False), ("b", "skipped", False), ("c", "failed", True)):
        record = walked(journal, path, status, handled=handled)
        assert journal.begin(fresh(path)) is record


def test_a_failed_step_begins_anew_with_a_new_effect() -> None:
    journal = Journal()
    walked(journal, "a", "failed")
    again = journal.begin(fresh("a"))
    assert (again.status, again.generation, again.effect) == ("running", 2, 2)


def test_a_cancelled_step_begins_anew_with_the_same_effect() -> None:
    journal = Journal()
    walked(journal, "a", "cancelled")
    again = journal.begin(fresh("a"))
    assert (again.generation, again.effect) == (2, 1)
    again.status = "failed"
    journal.finish(again, written=False)
    third = journal.begin(fresh("a"))
    assert (third.generation, third.effect) == (3, 2)


def test_steps_that_ended_are_counted_and_failures_that_were_not_handled_are_not() -> None:
    journal = Journal()
    walked(journal, "a", "completed")
    walked(journal, "b", "skipped")
    walked(journal, "c", "failed", handled=True)
    walked(journal, "d", "failed")
    walked(journal, "e", "cancelled")
    assert journal.completed == 3


def test_what_an_effect_wrote_itself_is_not_written_again() -> None:
    journal = Journal()
    walked(journal, "a", "completed", written=True)
    walked(journal, "b", "completed")
    rows, _ = journal.take_unwritten()
    assert [row.path for row in rows] == ["b"]
    assert journal.unwritten == 0


def test_what_could_not_be_written_comes_back_and_the_newer_record_counts() -> None:
    journal = Journal()
    first = walked(journal, "a", "failed")
    taken = journal.take_unwritten()
    newer = walked(journal, "a", "completed")
    journal.give_back(*taken)
    rows, _ = journal.take_unwritten()
    assert rows == [newer]
    assert first.generation == 1


def test_a_wait_for_an_event_is_closed_once_it_is_over() -> None:
    journal = Journal()
    for path, kind in (("a", "event"), ("b", "delay")):
        record = journal.begin(fresh(path))
        record.wait, record.status = {"kind": kind}, "completed"
        journal.finish(record, written=False)
    assert journal.take_unwritten()[1] == ["a"]


def test_a_loop_that_is_over_needs_its_progress_no_longer_and_one_that_failed_does() -> None:
    journal = Journal()
    for path, status in (("a", "completed"), ("b", "failed")):
        journal.progress[path] = Progress([1])
        walked(journal, path, status)
    assert list(journal.progress) == ["b"]


def test_a_finished_item_is_forgotten_but_its_rows_are_kept_until_they_are_written() -> None:
    journal = Journal()
    for path in ("each", "each[0].a", "each[0].b", "each[1].a", "each[10].a"):
        walked(journal, path, "completed")
    journal.progress["each[0].inner"] = Progress([1, 2])
    journal.forget("each[0].")
    assert list(journal.records) == ["each", "each[1].a", "each[10].a"]
    assert journal.progress == {}
    assert journal.unwritten == 5
    assert journal.completed == 5
