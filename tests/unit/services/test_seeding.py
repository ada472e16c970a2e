"""What a redriven run begins with: everything that is done, nothing that is not, and no more than was asked for."""

from typing import ClassVar

import pytest

from app.services.errors import Conflict, Invalid
from app.services.seeding import Row
from app.temporal.messages import Assignment, JournalState, LoopProgress, RepeatProgress
from tests.support.journals import (
    BEGAN,
    FIVE,
    RUN_ID,
    after_c,
    definition,
    journal,
    record,
    redriven,
    statuses,
    step,
)


class TestALine:
    def test_a_failed_step_is_walked_anew_and_those_before_it_are_kept(self):
        made = redriven(FIVE, after_c())
        assert statuses(made) == {"a": "completed", "b": "completed"}
        assert (made.from_step, made.finished, made.done) == ("c", ["a", "b"], [])
        assert (made.journal.completed, made.journal.begun_steps) == (2, 3)

    def test_what_is_kept_keeps_output_and_order(self):
        [a, b] = redriven(FIVE, after_c()).journal.records
        assert (a.output, a.order, b.output, b.order) == ({"from": "a"}, 1, {"from": "b"}, 2)

    def test_an_earlier_step_can_be_chosen(self):
        made = redriven(FIVE, after_c(), from_step="b")
        assert (statuses(made), made.from_step, made.finished) == ({"a": "completed"}, "b", ["a"])
        assert made.journal.completed == 1

    def test_the_first_step_leaves_nothing(self):
        made = redriven(FIVE, after_c(), from_step="a")
        assert (statuses(made), made.finished, made.journal.completed) == ({}, [], 0)

    def test_a_failure_that_was_handled_is_kept(self):
        handled = record("b", "failed", handled=True)
        made = redriven(FIVE, journal(record("a"), handled, record("c", "failed")))
        assert statuses(made) == {"a": "completed", "b": "failed"}

    def test_skipped_steps_are_kept(self):
        made = redriven(FIVE, journal(record("a", "skipped"), record("b", "failed")))
        assert statuses(made) == {"a": "skipped"}

    def test_a_held_step_is_walked_anew(self):
        made = redriven(FIVE, journal(record("a"), record("b", "held", error={"type": "x", "message": "no"})))
        assert (statuses(made), made.from_step) == ({"a": "completed"}, "b")

    def test_a_run_that_failed_in_its_output_goes_on_there(self):
        made = redriven(definition(step("a")), journal(record("a")))
        assert (statuses(made), made.from_step) == ({"a": "completed"}, "output")

    def test_a_run_that_was_ended_between_two_steps_goes_on_with_the_next(self):
        assert redriven(FIVE, journal(record("a"), record("b"))).from_step == "c"

    def test_a_stop_is_reached_again(self):
        old = definition(step("a"), step("end", "stop", status="failed"))
        made = redriven(old, journal(record("a"), record("end", type="stop")), error_path="end")
        assert (statuses(made), made.from_step) == ({"a": "completed"}, "end")

    def test_the_start_of_the_run_is_that_of_the_first_one(self):
        assert redriven(FIVE, after_c()).journal.run_started_at == BEGAN

    def test_rows_that_are_missing_are_made_from_the_records(self):
        made = redriven(FIVE, after_c(), rows=[Row("a", "completed"), Row("b", "running")])
        assert (made.finished, [one.path for one in made.unwritten]) == (["a"], ["b"])


class TestChoosing:
    def test_what_is_no_step_is_refused_with_those_there_are(self):
        for text in ("nope", "a.nope", "no path", "", "a["):
            with pytest.raises(Invalid, match="a, b, c") as caught:
                redriven(FIVE, after_c(), from_step=text)
            assert caught.value.code == "unknown_step"

    def test_a_step_that_was_not_reached_is_refused_with_those_there_are(self):
        with pytest.raises(Conflict, match="a, b, c") as caught:
            redriven(FIVE, after_c(), from_step="d")
        assert caught.value.code == "step_not_reached"

    def test_what_runs_at_the_end_cannot_be_chosen(self):
        old = definition(step("a", compensate=[step("undo")]), step("b"), **{"finally": [step("bye")]})
        for text in ("undo", "a.compensate.undo", "bye"):
            with pytest.raises(Invalid) as caught:
                redriven(old, journal(record("a"), record("b", "failed"), record("bye")), from_step=text)
            assert caught.value.code == "step_always_anew"

    def test_an_id_means_the_steps_latest_record(self):
        old = definition(step("each", "loop", steps=[step("send")], concurrency=5))
        state = journal(
            record("each", "failed", type="loop", failed_path="each[1].send"),
            record("each[2].send", order=5),
            record("each[1].send", "failed", order=4),
            loops={"each": LoopProgress(items=[1, 2, 3], results=[[0, "x"]])},
        )
        assert redriven(old, state, from_step="send").from_step == "each[2].send"

    def test_finally_is_always_run_anew(self):
        old = definition(step("a"), step("b"), **{"finally": [step("bye")]})
        made = redriven(old, journal(record("a"), record("b", "failed"), record("bye")), error_path="b")
        assert (statuses(made), made.finished, made.journal.completed) == ({"a": "completed"}, ["a"], 1)

    def test_a_run_whose_finally_failed_goes_on_there(self):
        old = definition(step("a"), **{"finally": [step("bye")]})
        made = redriven(old, journal(record("a"), record("bye", "failed")))
        assert (statuses(made), made.from_step) == ({"a": "completed"}, "bye")


class TestConditions:
    OLD = definition(
        step("a"),
        step("ask", "condition", branches=[{"when": "{{ true }}", "steps": [step("x"), step("y"), step("z")]}]),
        step("b"),
    )
    CHOSEN: ClassVar = {"branch": 0, "name": None}

    def failed(self) -> JournalState:
        return journal(
            record("a"),
            record("ask", "failed", type="condition", output=self.CHOSEN, failed_path="ask.y"),
            record("ask.x"),
            record("ask.y", "failed"),
        )

    def test_the_branch_that_was_taken_is_gone_on_with(self):
        made = redriven(self.OLD, self.failed(), error_path="ask.y")
        assert statuses(made) == {"a": "completed", "ask": "running", "ask.x": "completed"}
        [ask] = [one for one in made.journal.records if one.path == "ask"]
        assert (ask.output, ask.error, ask.finished_at, ask.generation) == (self.CHOSEN, None, None, 1)
        assert made.finished == ["a", "ask.x"]

    def test_going_back_into_a_finished_one_opens_it_and_lets_go_what_came_after(self):
        state = journal(
            record("a"),
            record("ask", type="condition", output=self.CHOSEN),
            record("ask.x"),
            record("ask.y"),
            record("ask.z"),
            record("b", "failed"),
        )
        made = redriven(self.OLD, state, from_step="y")
        assert statuses(made) == {"a": "completed", "ask": "running", "ask.x": "completed"}
        assert (made.from_step, made.journal.completed, made.finished) == ("ask.y", 2, ["a", "ask.x"])

    def test_choosing_the_condition_itself_chooses_its_branch_anew(self):
        assert statuses(redriven(self.OLD, self.failed(), from_step="ask")) == {"a": "completed"}

    def test_one_that_failed_before_it_chose_is_walked_anew(self):
        state = journal(record("a"), record("ask", "failed", type="condition"))
        assert statuses(redriven(self.OLD, state)) == {"a": "completed"}

    def test_one_that_failed_by_itself_keeps_what_is_inside(self):
        """A time limit over the condition, say: the step inside was cancelled."""
        state = journal(
            record("a"),
            record("ask", "failed", type="condition", output=self.CHOSEN),
            record("ask.x"),
            record("ask.y", "cancelled"),
        )
        made = redriven(self.OLD, state)
        assert statuses(made) == {"a": "completed", "ask": "running", "ask.x": "completed"}
        assert made.from_step == "ask"


class TestErrorSteps:
    OLD = definition(step("a", on_error="branch", error_steps=[step("e"), step("f")]), step("b"))

    def test_going_on_in_them_keeps_the_failure_they_take_care_of(self):
        state = journal(record("a", "failed", handled=True), record("a.e"), record("a.f", "failed"))
        made = redriven(self.OLD, state, error_path="a.f")
        assert (statuses(made), made.from_step) == ({"a": "failed", "a.e": "completed"}, "a.f")
        assert statuses(redriven(self.OLD, state, from_step="e")) == {"a": "failed"}

    def test_those_of_a_step_that_is_walked_anew_are_let_go(self):
        state = journal(record("a", "failed", handled=True), record("a.e"), record("a.f"), record("b", "failed"))
        assert statuses(redriven(self.OLD, state, from_step="a")) == {}

    def test_those_of_a_step_around_the_place_are_let_go(self):
        old = definition(
            step("all", "parallel", branches=[{"name": "one", "steps": [step("x"), step("y")]}],
                 on_error="branch", error_steps=[step("e")]), step("b"),
        )  # fmt: skip
        state = journal(
            record("all", "failed", type="parallel", handled=True, failed_path="all.y"),
            record("all.x"),
            record("all.y", "failed"),
            record("all.e"),
            record("b", "failed"),
        )
        made = redriven(old, state, from_step="y", error_path="b")
        assert statuses(made) == {"all": "running", "all.x": "completed"}


class TestParallel:
    OLD = definition(
        step(
            "all",
            "parallel",
            branches=[
                {"name": "one", "steps": [step("a"), step("b"), step("c")]},
                {"name": "two", "steps": [step("x"), step("y"), step("z")]},
            ],
        ),
        step("after"),
    )

    def test_the_other_branches_are_kept_and_go_on_where_they_were(self):
        state = journal(
            record("all", "failed", type="parallel", failed_path="all.b"),
            record("all.a"),
            record("all.x"),
            record("all.b", "failed"),
            record("all.y", "cancelled"),
        )
        made = redriven(self.OLD, state, error_path="all.b")
        assert statuses(made) == {"all": "running", "all.a": "completed", "all.x": "completed"}
        assert made.journal.keys == {"all.y": f"{RUN_ID}/all.y"}

    def test_an_earlier_step_of_one_branch_leaves_the_other_alone(self):
        state = journal(
            record("all", type="parallel"),
            *(record(f"all.{id}") for id in "abcxyz"),
            record("after", "failed"),
        )
        made = redriven(self.OLD, state, from_step="b")
        assert statuses(made) == {"all": "running", **{f"all.{id}": "completed" for id in "axyz"}}
        assert (made.journal.completed, made.journal.keys) == (4, {})

    def test_branches_that_were_given_up_stay_so_while_the_parallel_is_over(self):
        old = self.OLD.model_copy(deep=True)
        state = journal(
            record("all", type="parallel"),
            record("all.a"),
            record("all.x", "cancelled"),
            record("after", "failed"),
        )
        made = redriven(old, state)
        assert statuses(made) == {"all": "completed", "all.a": "completed", "all.x": "cancelled"}
        assert made.journal.keys == {}


class TestLoops:
    OLD = definition(step("a"), step("each", "loop", steps=[step("x"), step("y"), step("z")]), step("b"))
    SIDE_BY_SIDE = definition(step("each", "loop", concurrency=3, steps=[step("x"), step("y"), step("z")]), step("b"))

    def at_item_two(self, **fields) -> JournalState:
        return journal(
            record("a"),
            record("each", "failed", type="loop", failed_path="each[2].y"),
            record("each[2].x"),
            record("each[2].y", "failed"),
            **{"loops": {"each": LoopProgress(items=[1, 2, 3, 4], results=[[0, "p"], [1, "q"]])}, "completed": 8}
            | fields,
        )

    def rows(self) -> list[Row]:
        done = [f"each[{item}].{id}" for item in (0, 1) for id in "xyz"]
        return [Row(path, "completed", path) for path in ["a", *done, "each[2].x"]] + [Row("each[2].y", "running")]

    def test_finished_items_stay_results_and_the_item_goes_on(self):
        made = redriven(self.OLD, self.at_item_two(), rows=self.rows(), error_path="each[2].y")
        assert statuses(made) == {"a": "completed", "each": "running", "each[2].x": "completed"}
        assert made.journal.loops == {"each": LoopProgress(items=[1, 2, 3, 4], results=[[0, "p"], [1, "q"]])}
        assert made.finished == ["a", *(f"each[{item}].{id}" for item in (0, 1) for id in "xyz"), "each[2].x"]
        assert made.journal.completed == 8

    def test_choosing_the_loop_begins_it_anew(self):
        made = redriven(self.OLD, self.at_item_two(), rows=self.rows(), from_step="each")
        assert (statuses(made), made.journal.loops, made.finished) == ({"a": "completed"}, {}, ["a"])
        assert made.journal.completed == 1

    def test_a_finished_item_can_be_walked_again_from_its_first_step(self):
        made = redriven(self.OLD, self.at_item_two(), rows=self.rows(), from_step="each[1].x")
        assert statuses(made) == {"a": "completed", "each": "running"}
        assert made.journal.loops["each"].results == [[0, "p"]]
        assert made.finished == ["a", "each[0].x", "each[0].y", "each[0].z"]
        assert made.journal.completed == 4

    def test_not_from_a_later_step_of_it(self):
        with pytest.raises(Conflict, match="redrive from 'each'") as caught:
            redriven(self.OLD, self.at_item_two(), from_step="each[1].y")
        assert caught.value.code == "step_not_kept"

    def test_not_from_an_item_that_was_not_reached(self):
        with pytest.raises(Conflict) as caught:
            redriven(self.OLD, self.at_item_two(), from_step="each[3].x")
        assert caught.value.code == "step_not_reached"

    def test_not_from_inside_a_loop_that_is_over(self):
        state = journal(record("a"), record("each", type="loop"), record("b", "failed"))
        for text in ("x", "each[1].x"):
            with pytest.raises(Conflict, match="redrive from 'each'") as caught:
                redriven(self.OLD, state, from_step=text)
            assert caught.value.code == "step_not_kept"

    def test_variables_set_by_finished_items_cannot_be_taken_back_item_by_item(self):
        state = self.at_item_two(assignments={"each": Assignment(order=3, values={"n": 1})})
        with pytest.raises(Conflict, match="redrive from 'each'"):
            redriven(self.OLD, state, from_step="each[1].x")
        assert redriven(self.OLD, state, from_step="each").journal.variables == {}

    def test_items_that_are_walked_side_by_side_know_nothing_of_each_other(self):
        state = journal(
            record("each", "failed", type="loop", failed_path="each[1].y"),
            record("each[1].x"),
            record("each[3].x"),
            record("each[1].y", "failed"),
            record("each[3].y", "cancelled"),
            loops={"each": LoopProgress(items=[1, 2, 3, 4], results=[[0, "p"], [2, "r"]])},
        )
        made = redriven(self.SIDE_BY_SIDE, state, error_path="each[1].y")
        assert statuses(made) == {"each": "running", "each[1].x": "completed", "each[3].x": "completed"}
        assert made.journal.loops["each"].results == [[0, "p"], [2, "r"]]
        again = redriven(self.SIDE_BY_SIDE, state, from_step="each[1].x", error_path="each[1].y")
        assert statuses(again) == {"each": "running", "each[3].x": "completed"}
        assert again.journal.loops["each"].results == [[0, "p"], [2, "r"]]

    def test_items_after_the_chosen_one_go_when_they_come_one_by_one(self):
        state = self.at_item_two()
        made = redriven(self.OLD, state, from_step="each[0].x", rows=self.rows())
        assert (statuses(made), made.journal.loops["each"].results) == ({"a": "completed", "each": "running"}, [])

    def test_one_that_failed_by_itself_keeps_its_items(self):
        """`collect` did not evaluate, say: what the items did is not done again."""
        state = self.at_item_two()
        state.records = [record("a"), record("each", "failed", type="loop"), *(record(f"each[2].{id}") for id in "xyz")]
        for place, one in enumerate(state.records):
            one.order = place
        made = redriven(self.OLD, state)
        assert statuses(made) == {"a": "completed", "each": "running"} | {f"each[2].{id}": "completed" for id in "xyz"}

    def test_loops_in_loops_keep_both_places(self):
        old = definition(step("out", "loop", steps=[step("in", "loop", steps=[step("x"), step("y")]), step("z")]))
        state = journal(
            record("out", "failed", type="loop", failed_path="out[1].in[2].y"),
            record("out[1].in", "failed", type="loop", failed_path="out[1].in[2].y"),
            record("out[1].in[2].x"),
            record("out[1].in[2].y", "failed"),
            loops={
                "out": LoopProgress(items=[1, 2], results=[[0, "p"]]),
                "out[1].in": LoopProgress(items=[1, 2, 3], results=[[0, "q"], [1, "r"]]),
            },
        )
        made = redriven(old, state, error_path="out[1].in[2].y")
        assert statuses(made) == {"out": "running", "out[1].in": "running", "out[1].in[2].x": "completed"}
        assert [len(loop.results) for loop in made.journal.loops.values()] == [1, 2]
        back = redriven(old, state, from_step="out[1].in")
        assert (statuses(back), list(back.journal.loops)) == ({"out": "running"}, ["out"])


class TestRepeats:
    OLD = definition(step("poll", "repeat", steps=[step("x"), step("y")], max_iterations=9), step("b"))

    def failed(self) -> JournalState:
        return journal(
            record("poll", "failed", type="repeat", failed_path="poll[4].y"),
            record("poll[4].x"),
            record("poll[4].y", "failed"),
            repeats={"poll": RepeatProgress(index=4, begun=True, output="before")},
            completed=9,
        )

    def test_the_iteration_goes_on_and_those_before_it_count(self):
        made = redriven(self.OLD, self.failed(), error_path="poll[4].y", rows=[Row("poll[3].x", "completed")])
        assert statuses(made) == {"poll": "running", "poll[4].x": "completed"}
        assert made.journal.repeats == {"poll": RepeatProgress(index=4, begun=True, output="before")}
        assert (made.finished, made.journal.completed) == (["poll[3].x"], 9)

    def test_an_earlier_iteration_cannot_be_chosen(self):
        with pytest.raises(Conflict, match="redrive from 'poll'") as caught:
            redriven(self.OLD, self.failed(), from_step="poll[2].x")
        assert caught.value.code == "step_not_kept"

    def test_choosing_the_repeat_begins_to_count_anew(self):
        made = redriven(self.OLD, self.failed(), from_step="poll")
        assert (statuses(made), made.journal.repeats) == ({}, {})

    def test_one_that_is_exhausted_begins_to_count_anew(self):
        exhausted = record("poll", "failed", type="repeat", error={"type": "limit_exceeded", "message": "9"})
        exhausted.failed_path = "poll"
        state = journal(exhausted, repeats={"poll": RepeatProgress(index=9, output="x")})
        made = redriven(self.OLD, state)
        assert (statuses(made), made.journal.repeats, made.from_step) == ({}, {}, "poll")

    def test_a_pause_between_two_iterations_goes_on(self):
        progress = RepeatProgress(index=5, again_at="2030-01-03T00:00:00Z")
        state = journal(record("poll", "cancelled", type="repeat"), repeats={"poll": progress})
        made = redriven(self.OLD, state)
        assert (statuses(made), made.journal.repeats) == ({"poll": "running"}, {"poll": progress})
