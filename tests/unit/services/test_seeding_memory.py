"""What a seed remembers: variables, what can be undone, effects in doubt, waits."""

import pytest

from app.services.errors import Conflict
from app.services.seeding import Row
from app.temporal.messages import Assignment, Compensation, JournalState, LoopProgress
from tests.support.journals import (
    FIVE,
    RUN_ID,
    after_c,
    definition,
    journal,
    record,
    redriven,
    rows_of,
    statuses,
    step,
)


class TestVariables:
    OLD = definition(step("a", "set"), step("b", "set"), step("c"), variables={"n": 0, "a": 0, "b": 0})

    def test_they_are_as_the_kept_steps_left_them(self):
        state = journal(
            record("a", type="set"),
            record("b", type="set"),
            record("c", "failed"),
            first_variables={"n": 0, "a": 0, "b": 0},
            variables={"n": 2, "a": 1, "b": 1},
            assignments={
                "b": Assignment(order=2, values={"n": 2, "b": 1}),
                "a": Assignment(order=1, values={"n": 1, "a": 1}),
            },
        )
        assert redriven(self.OLD, state).journal.variables == {"n": 2, "a": 1, "b": 1}
        made = redriven(self.OLD, state, from_step="b")
        assert made.journal.variables == {"n": 1, "a": 1, "b": 0}
        assert list(made.journal.assignments) == ["a"]
        assert made.journal.first_variables == {"n": 0, "a": 0, "b": 0}

    def test_those_of_finished_items_stay_with_their_loop(self):
        old = definition(step("each", "loop", steps=[step("a", "set"), step("x")]))
        state = journal(
            record("each", "failed", type="loop", failed_path="each[1].x"),
            record("each[1].a", type="set"),
            record("each[1].x", "failed"),
            loops={"each": LoopProgress(items=[1, 2], results=[[0, 1]])},
            assignments={
                "each": Assignment(order=2, values={"a": "zero"}),
                "each[1].a": Assignment(order=4, values={"a": "one"}),
            },
        )
        assert redriven(old, state, error_path="each[1].x").journal.variables == {"a": "one"}
        assert redriven(old, state, from_step="each[1].a").journal.variables == {"a": "zero"}


class TestCompensation:
    OLD = definition(
        step("a", compensate=[step("undo_a")]),
        step("b", compensate=[step("undo_b")]),
        step("c"),
    )

    def test_what_could_be_undone_still_can_where_it_is_kept(self):
        entries = [Compensation(path="a", step_id="a"), Compensation(path="b", step_id="b")]
        state = journal(record("a"), record("b"), record("c", "failed"), compensations=entries)
        assert [one.path for one in redriven(self.OLD, state).journal.compensations] == ["a", "b"]
        assert [one.path for one in redriven(self.OLD, state, from_step="b").journal.compensations] == ["a"]

    def test_a_run_does_not_go_on_behind_what_was_undone(self):
        state = journal(record("a"), record("b"), record("c", "failed"), record("b.compensate.undo_b"))
        with pytest.raises(Conflict, match="redrive from 'b' or an earlier step, or retry") as caught:
            redriven(self.OLD, state, error_path="c")
        assert caught.value.code == "step_compensated"
        assert statuses(redriven(self.OLD, state, from_step="b", error_path="c")) == {"a": "completed"}

    def test_rows_tell_of_what_was_undone_when_the_journal_does_not(self):
        rows = [Row("a", "completed", "k"), Row("b", "completed", "l"), Row("b.compensate.undo_b", "completed", "m")]
        with pytest.raises(Conflict, match="redrive from 'b'"):
            redriven(self.OLD, journal(record("a"), record("b"), record("c", "running")), rows=rows)

    def test_the_earliest_of_them_is_named(self):
        undone = [record("b.compensate.undo_b"), record("a.compensate.undo_a", "failed")]
        state = journal(record("a"), record("b"), record("c", "failed"), *undone)
        for chosen in (None, "b"):
            with pytest.raises(Conflict, match="redrive from 'a'"):
                redriven(self.OLD, state, from_step=chosen, error_path="c")
        made = redriven(self.OLD, state, from_step="a", error_path="c")
        assert (statuses(made), made.journal.keys, made.journal.completed) == ({}, {}, 0)

    def test_what_was_undone_side_by_side_is_redriven_together(self):
        old = definition(
            step("all", "parallel", branches=[
                {"name": "one", "steps": [step("a", compensate=[step("undo_a")])]},
                {"name": "two", "steps": [step("b", compensate=[step("undo_b")])]},
            ]), step("c"),
        )  # fmt: skip
        undone = [record("all.b.compensate.undo_b"), record("all.a.compensate.undo_a")]
        state = journal(
            record("all", type="parallel"), record("all.a"), record("all.b"), record("c", "failed"), *undone
        )
        with pytest.raises(Conflict, match="redrive from 'all'"):
            redriven(old, state, error_path="c")
        assert statuses(redriven(old, state, from_step="all", error_path="c")) == {}

    def test_a_step_that_is_opened_again_is_not_to_be_undone_yet(self):
        old = definition(
            step("ask", "condition", branches=[{"when": "{{ true }}", "steps": [step("x"), step("y")]}],
                 compensate=[step("undo")]), step("b"),
        )  # fmt: skip
        state = journal(
            record("ask", type="condition", output={"branch": 0, "name": None}),
            record("ask.x"),
            record("ask.y"),
            record("b", "failed"),
            compensations=[Compensation(path="ask", step_id="ask")],
        )
        assert len(redriven(old, state).journal.compensations) == 1
        assert redriven(old, state, from_step="y").journal.compensations == []


class TestEffectsInDoubt:
    @pytest.mark.parametrize("status", ["running", "cancelled", "waiting"])
    def test_one_that_was_in_flight_keeps_its_key(self, status):
        made = redriven(FIVE, journal(record("a"), record("b", status)))
        assert made.journal.keys == {"b": f"{RUN_ID}/b"}

    def test_a_later_effect_of_the_step_keeps_its_number(self):
        made = redriven(FIVE, journal(record("a"), record("b", "cancelled", effect=3, generation=4)))
        assert made.journal.keys == {"b": f"{RUN_ID}/b#3"}

    def test_a_key_that_came_from_a_run_before_goes_on(self):
        made = redriven(FIVE, journal(record("a"), record("b", "cancelled"), keys={"b": "first/b"}))
        assert made.journal.keys == {"b": "first/b"}

    def test_with_the_key_go_the_inputs_it_was_used_with(self):
        begun = {"b": {"inputs": {"url": "https://example.com/as-it-was"}}, "a": {"inputs": {}}}
        made = redriven(FIVE, journal(record("a"), record("b", "cancelled"), begun=begun))
        assert made.journal.begun == {"b": begun["b"]}

    def test_a_failure_that_was_answered_begins_a_new_effect(self):
        made = redriven(FIVE, after_c())
        assert (made.journal.keys, made.journal.begun) == ({}, {})

    @pytest.mark.parametrize("type", ["timeout", "worker_lost", "connection_failed"])
    def test_a_failure_without_an_answer_leaves_the_effect_in_doubt(self, type):
        failed = record("b", "failed", error={"type": type, "message": "no answer"}, failed_path="b")
        assert redriven(FIVE, journal(record("a"), failed)).journal.keys == {"b": f"{RUN_ID}/b"}

    def test_what_is_done_again_on_purpose_is_a_new_effect(self):
        state = journal(record("a"), record("b"), record("c", "cancelled"))
        assert redriven(FIVE, state, from_step="b").journal.keys == {}
        assert redriven(FIVE, state, from_step="c").journal.keys == {"c": f"{RUN_ID}/c"}

    def test_an_effect_that_was_done_without_the_run_hearing_of_it_is_not_done_again(self):
        """The run was terminated before its history knew."""
        rows = [Row("a", "completed", f"{RUN_ID}/a"), Row("b", "completed", f"{RUN_ID}/b")]
        for state in (journal(record("a"), record("b", "running")), journal(record("a"))):
            made = redriven(FIVE, state, rows=rows)
            assert (statuses(made), made.finished, made.done) == ({"a": "completed"}, ["a"], ["b"])
            assert made.journal.keys == {"b": f"{RUN_ID}/b"}

    def test_one_that_was_under_way_without_the_run_knowing_keeps_its_key(self):
        rows = [Row("a", "completed", f"{RUN_ID}/a"), Row("b", "running")]
        made = redriven(FIVE, journal(record("a")), rows=rows)
        assert (made.finished, made.done, made.journal.keys) == (["a"], [], {"b": f"{RUN_ID}/b"})

    def test_unless_it_is_chosen_to_be_done_again(self):
        rows = [Row("a", "completed", f"{RUN_ID}/a"), Row("b", "completed", f"{RUN_ID}/b")]
        made = redriven(FIVE, journal(record("a"), record("b", "running")), rows=rows, from_step="b")
        assert (made.done, made.journal.keys) == ([], {})

    def test_what_undoes_a_step_never_takes_over_a_key(self):
        old = definition(step("a"), step("b", compensate=[step("undo")]), step("c"))
        state = journal(record("a"), record("b", "failed"), record("b.compensate.undo", "cancelled"))
        assert redriven(old, state, from_step="b", error_path="b").journal.keys == {}


class TestWaits:
    OLD = definition(step("a"), step("won", "wait", timeout="3d"), step("b"))

    def waiting(self, status: str, **wait) -> JournalState:
        opened = {
            "kind": "event", "event": "crm.deal.won", "until": "2030-01-04T10:00:00Z", "since": "2030-01-01T10:00:00Z",
            "match": None, "context": {}, "open": True, **wait,
        }  # fmt: skip
        return journal(record("a"), record("won", status, type="wait", wait=opened))

    @pytest.mark.parametrize("status", ["waiting", "cancelled"])
    def test_one_goes_on_with_all_of_its_time_and_misses_nothing_in_between(self, status):
        made = redriven(self.OLD, self.waiting(status))
        assert (statuses(made), made.from_step) == ({"a": "completed", "won": "waiting"}, "won")
        won = made.journal.records[1]
        assert won.wait == {
            "kind": "event", "event": "crm.deal.won", "since": "2030-01-01T10:00:00Z", "match": None, "context": {},
            "until": "2030-01-05T12:00:00Z",
        }  # fmt: skip
        assert (won.started_at, won.finished_at) == ("2030-01-02T12:00:00Z", None)

    def test_one_that_timed_out_waits_once_more(self):
        made = redriven(self.OLD, self.waiting("failed", timed_out=True))
        assert statuses(made) == {"a": "completed", "won": "waiting"}
        assert "timed_out" not in made.journal.records[1].wait

    def test_one_without_an_end_has_none(self):
        assert redriven(self.OLD, self.waiting("cancelled", until=None)).journal.records[1].wait["until"] is None

    def test_one_that_was_never_registered_begins_anew(self):
        assert statuses(redriven(self.OLD, self.waiting("cancelled", since="wait_start"))) == {"a": "completed"}

    def test_one_that_is_chosen_while_it_was_open_goes_on_as_well(self):
        made = redriven(self.OLD, self.waiting("cancelled"), from_step="won")
        assert statuses(made) == {"a": "completed", "won": "waiting"}

    def test_one_that_is_chosen_though_it_was_over_waits_for_another_event(self):
        state = self.waiting("completed", received={"id": "1"}, timed_out=False)
        state.records.append(record("b", "failed", order=3))
        assert statuses(redriven(self.OLD, state, from_step="won")) == {"a": "completed"}

    def test_a_delay_keeps_its_end_unless_it_is_chosen(self):
        old = definition(step("later", "delay"), step("b"))
        wait = {"kind": "delay", "event": None, "until": "2030-01-01T12:00:00Z", "waited": True}
        state = journal(record("later", "cancelled", type="delay", wait=wait))
        made = redriven(old, state)
        assert (statuses(made), made.journal.records[0].wait) == ({"later": "waiting"}, wait)
        assert statuses(redriven(old, state, from_step="later")) == {}


class TestContainersWithRetries:
    def test_a_step_that_was_given_up_by_an_attempt_before_is_walked_anew(self):
        old = definition(step("each", "loop", steps=[step("x"), step("y")], retry={"max_attempts": 3}))
        again = record("each", "failed", type="loop", attempt=3, failed_path="each[0].y")
        state = journal(
            again,
            record("each[0].x"),
            record("each[0].y", "failed", generation=3, effect=3),
            loops={"each": LoopProgress(items=[1, 2])},
        )
        made = redriven(old, state, error_path="each[0].y")
        assert statuses(made) == {"each": "running", "each[0].x": "completed"}
        assert (made.journal.records[0].attempt, made.journal.records[0].generation) == (1, 1)


def test_the_old_journal_is_left_as_it_was():
    state = after_c()
    before = [one.status for one in state.records]
    redriven(FIVE, state, from_step="a")
    assert [one.status for one in state.records] == before
    assert rows_of(state)[0].effect_key == f"{RUN_ID}/a"
