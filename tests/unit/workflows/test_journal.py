"""The run's memory: what is begun anew, what is kept, what is forgotten."""

from app.temporal.messages import StepRecord
from workflows.journal import Journal, Progress


def fresh(path: str = "a", type: str = "action") -> StepRecord:
    return StepRecord(path=path, step_id=path, name=path, type=type, status="pending")


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


def test_a_step_that_failed_stays_failed_when_the_walk_comes_by_again() -> None:
    journal = Journal()
    record = walked(journal, "a", "failed")
    assert journal.begin(fresh("a")) is record
    assert journal.knows("a")


def test_a_failed_step_begins_anew_with_a_new_effect_when_what_is_around_it_is_tried_again() -> None:
    journal = Journal()
    walked(journal, "group.a", "failed")
    journal.renew("group")
    assert not journal.knows("group.a")
    again = journal.begin(fresh("group.a"))
    assert (again.status, again.generation, again.effect) == ("pending", 2, 2)
    assert journal.knows("group.a")


def test_what_is_done_or_handled_is_not_renewed() -> None:
    journal = Journal()
    for path, status, handled in (("g.a", "completed", False), ("g.b", "skipped", False), ("g.c", "failed", True)):
        walked(journal, path, status, handled=handled)
    journal.renew("g")
    assert all(journal.knows(path) for path in ("g.a", "g.b", "g.c"))


def test_an_operator_has_a_held_step_tried_again_with_a_new_effect() -> None:
    journal = Journal()
    record = journal.begin(fresh("a"))
    record.status, record.attempt, record.error = "held", 3, {"type": "internal"}
    journal.begun["a"] = {"inputs": {}}
    again = journal.again(record)
    assert (again.status, again.attempt, again.generation, again.effect, again.error) == ("running", 1, 2, 2, None)
    assert journal.records["a"] is again
    assert journal.begun == {}


def test_a_cancelled_step_begins_anew_with_the_same_effect() -> None:
    journal = Journal()
    walked(journal, "a", "cancelled")
    again = journal.begin(fresh("a"))
    assert (again.generation, again.effect) == (2, 1)


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
    assert list(journal.take_unwritten().rows) == ["b"]
    assert journal.unwritten == 0


def test_what_could_not_be_written_comes_back_and_the_newer_record_counts() -> None:
    journal = Journal()
    walked(journal, "a", "cancelled")
    taken = journal.take_unwritten()
    newer = walked(journal, "a", "completed")
    journal.give_back(taken)
    assert journal.take_unwritten().rows == {"a": newer}
    assert newer.generation == 2


def test_a_wait_for_an_event_is_closed_once_it_is_over() -> None:
    journal = Journal()
    for path, type in (("a", "wait_for_event"), ("b", "delay")):
        record = journal.begin(fresh(path, type))
        record.status = "completed"
        journal.finish(record, written=False)
    assert journal.take_unwritten().closed_waits == ["a"]


def test_what_is_open_below_a_step_that_is_over_was_given_up() -> None:
    journal = Journal()
    for path, status in (
        ("g", "running"),
        ("g.a", "waiting"),
        ("g[1].b", "held"),
        ("gg", "running"),
        ("g.c", "failed"),
    ):
        journal.begin(fresh(path)).status = status
    journal.abandon("g", "2026-01-01T00:00:00Z")
    assert {path: record.status for path, record in journal.records.items()} == {
        "g": "running", "g.a": "cancelled", "g[1].b": "cancelled", "gg": "running", "g.c": "failed",
    }  # fmt: skip
    journal.abandon("", "2026-01-01T00:00:00Z")
    assert journal.records["g"].status == journal.records["gg"].status == "cancelled"


def test_a_loop_that_is_over_needs_its_progress_no_longer_and_one_that_failed_does() -> None:
    journal = Journal()
    for path, status in (("a", "completed"), ("b", "failed")):
        journal.loops[path] = Progress([1])
        walked(journal, path, status)
    assert list(journal.loops) == ["b"]


def test_a_finished_item_is_forgotten_but_its_rows_are_kept_until_they_are_written() -> None:
    journal = Journal()
    for path in ("each", "each[0].a", "each[0].b", "each[1].a", "each[10].a"):
        walked(journal, path, "completed")
    journal.loops["each[0].inner"] = Progress([1, 2])
    journal.forget("each", 0)
    assert list(journal.records) == ["each", "each[1].a", "each[10].a"]
    assert journal.loops == {}
    assert journal.unwritten == 5
    assert journal.completed == 5


def test_variables_of_finished_items_are_kept_as_what_the_loop_set() -> None:
    journal = Journal()
    for index in range(3):
        record = walked(journal, f"each[{index}].set", "completed")
        journal.assign(record, {"last": index, f"v{index}": index})
        journal.forget("each", index)
    assigned = journal.state().assignments
    assert list(assigned) == ["each"]
    assert assigned["each"].values == {"last": 2, "v0": 0, "v1": 1, "v2": 2}
    assert assigned["each"].order == 3
    assert journal.variables["last"] == 2


def test_a_journal_that_travelled_is_the_same() -> None:
    journal = Journal()
    walked(journal, "a", "completed")
    journal.begin(fresh("each", "loop")).status = "running"
    journal.loops["each"] = Progress([1, 2], {1: "b"})
    journal.assign(journal.records["a"], {"x": 1})
    travelled = Journal(journal.state())
    assert travelled.state() == journal.state()
    assert travelled.loops["each"].results == {1: "b"}
    assert travelled.begin(fresh("b")).order == 3
