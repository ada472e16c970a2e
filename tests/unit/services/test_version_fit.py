"""A run goes on with another version only where everything it has done is the same in both."""

from typing import ClassVar

import pytest

from app.services.errors import Conflict
from app.temporal.messages import LoopProgress
from tests.support.journals import definition, journal, record, redriven, statuses, step

OLD = definition(*(step(id) for id in "abcde"))
FAILED_AT_C = journal(record("a"), record("b"), record("c", "failed"))


def refusal(old, state, new, **options) -> str:
    with pytest.raises(Conflict) as caught:
        redriven(old, state, to=new, **options)
    assert caught.value.code == "version_differs"
    return caught.value.detail


class TestALine:
    @pytest.mark.parametrize(
        "tail",
        [
            [step("c", inputs={"url": "https://example.com/mended"})],
            [step("c"), step("new"), step("e", "transform")],
            [step("new"), step("c", "transform"), step("d")],
            [step("ask", "condition", branches=[{"when": "{{ true }}", "steps": [step("c")]}])],
        ],
    )
    def test_what_comes_from_the_failed_step_on_may_differ(self, tail):
        new = definition(step("a"), step("b"), *tail, settings={"timeout": "1h"}, variables={"n": 1}, output="x")
        made = redriven(OLD, FAILED_AT_C, to=new)
        assert (statuses(made), made.from_step) == ({"a": "completed", "b": "completed"}, "c")

    def test_a_finished_step_that_differs_is_named_with_what_is_different(self):
        new = definition(step("a"), step("b", inputs={"url": "x"}, name="B"), step("c"))
        told = refusal(OLD, FAILED_AT_C, new)
        assert "version 2" in told
        assert "'b': version 2 gives it another `inputs`, `name`" in told

    def test_even_its_name_counts(self):
        assert "'a': version 2 gives it another `name`" in refusal(
            OLD, FAILED_AT_C, definition(step("a", name="A"), step("b"), step("c"))
        )

    def test_a_step_between_finished_ones_is_named(self):
        told = refusal(OLD, FAILED_AT_C, definition(step("a"), step("new"), step("b"), step("c")))
        assert "'b': version 2 has 'new' in its place" in told

    def test_a_finished_step_that_is_missing_is_named(self):
        told = refusal(OLD, FAILED_AT_C, definition(step("a"), step("c")))
        assert "'b'" in told
        new = definition(step("a"), step("other", "condition", branches=[{"when": "{{ true }}", "steps": [step("c")]}]))
        assert "'b'" in refusal(OLD, FAILED_AT_C, new)

    def test_the_step_to_go_on_from_must_be_there(self):
        told = refusal(OLD, FAILED_AT_C, definition(step("a"), step("b"), step("d")))
        assert "'c'" in told
        assert "does not have it" in told

    def test_going_back_before_what_differs_helps(self):
        new = definition(step("a"), step("b", inputs={"url": "x"}), step("c"))
        assert statuses(redriven(OLD, FAILED_AT_C, to=new, from_step="b")) == {"a": "completed"}


class TestInside:
    def ask(self, *steps, **fields):
        inside = {"when": "{{ true }}", "steps": list(steps)}
        return step("ask", "condition", **{"branches": [inside], **fields})

    def failed_inside(self):
        chosen = {"branch": 0, "name": None}
        return journal(
            record("ask", "failed", type="condition", output=chosen, failed_path="ask.y"),
            record("ask.x"),
            record("ask.y", "failed"),
        )

    def test_a_list_may_differ_from_the_place_on(self):
        old = definition(self.ask(step("x"), step("y"), step("z")), step("b"))
        new = definition(self.ask(step("x"), step("y", "transform"), step("w")))
        made = redriven(old, self.failed_inside(), to=new, error_path="ask.y")
        assert statuses(made) == {"ask": "running", "ask.x": "completed"}

    def test_not_before_it(self):
        old = definition(self.ask(step("x"), step("y")))
        told = refusal(
            old, self.failed_inside(), definition(self.ask(step("x", name="X"), step("y"))), error_path="ask.y"
        )
        assert "'x': version 2 gives it another `name`" in told

    def test_the_step_around_must_be_the_same_but_for_its_lists(self):
        old = definition(self.ask(step("x"), step("y")))
        new = definition(
            self.ask(step("x"), step("y"), branches=[{"when": "{{ 1 > 2 }}", "steps": [step("x"), step("y")]}])
        )
        told = refusal(old, self.failed_inside(), new, error_path="ask.y")
        assert "'ask': version 2 gives it another `branches`" in told

    def test_a_finished_step_with_steps_inside_names_the_inner_one_that_differs(self):
        old = definition(self.ask(step("x")), step("b"))
        state = journal(
            record("ask", type="condition", output={"branch": 0, "name": None}), record("ask.x"), record("b", "failed")
        )
        told = refusal(old, state, definition(self.ask(step("x", "transform")), step("b")))
        assert "'x': version 2 gives it another" in told
        told = refusal(old, state, definition(self.ask(step("x"), step("new")), step("b")))
        assert "'ask': version 2 has more steps" in told

    def test_a_step_that_is_another_kind_is_named(self):
        old = definition(self.ask(step("x"), step("y")))
        new = definition(step("ask", "loop", steps=[step("x"), step("y")]))
        told = refusal(old, self.failed_inside(), new, error_path="ask.y")
        assert "'ask': version 2 gives it another `type`" in told


class TestLoops:
    def test_the_body_may_differ_from_the_earliest_place_of_the_items_under_way(self):
        old = definition(step("each", "loop", concurrency=3, steps=[step("x"), step("y"), step("z")]))
        state = journal(
            record("each", "failed", type="loop", failed_path="each[0].y"),
            record("each[0].x"),
            record("each[1].x"),
            record("each[1].y"),
            record("each[0].y", "failed"),
            record("each[1].z", "cancelled"),
            loops={"each": LoopProgress(items=[1, 2, 3])},
        )
        body = [step("x"), step("y"), step("z", "transform")]
        new = definition(step("each", "loop", concurrency=3, steps=body))
        assert "each[1].y" in statuses(redriven(old, state, to=new, error_path="each[0].y"))
        body = [step("x"), step("y", "transform"), step("z")]
        told = refusal(old, state, definition(step("each", "loop", concurrency=3, steps=body)), error_path="each[0].y")
        assert "'y': version 2 gives it another" in told

    def test_what_finished_items_did_may_have_been_different(self):
        old = definition(step("each", "loop", steps=[step("x")]))
        state = journal(
            record("each", "failed", type="loop", failed_path="each[1].x"),
            record("each[1].x", "failed"),
            loops={"each": LoopProgress(items=[1, 2], results=[[0, "done"]])},
        )
        made = redriven(old, state, to=definition(step("each", "loop", steps=[step("x", "transform")])))
        assert made.journal.loops["each"].results == [[0, "done"]]


class TestWhatIsUnderWay:
    WAIT: ClassVar = {
        "kind": "event",
        "event": "crm.deal.won",
        "until": None,
        "since": "2030-01-01T10:00:00Z",
        "match": None,
        "context": {},
    }

    def test_a_wait_that_is_the_same_goes_on_and_another_one_begins_anew(self):
        old = definition(step("won", "wait"), step("b"))
        state = journal(record("won", "cancelled", type="wait", wait=self.WAIT))
        assert statuses(redriven(old, state, to=definition(step("won", "wait"), step("c")))) == {"won": "waiting"}
        assert statuses(redriven(old, state, to=definition(step("won", "wait", event="crm.deal.lost")))) == {}

    def test_an_effect_in_doubt_keeps_its_key_only_for_the_same_action(self):
        state = journal(record("a", "cancelled"), begun={"a": {"inputs": {"url": "old"}}})
        other_url = redriven(OLD, state, to=definition(step("a", inputs={"url": "new"})))
        assert (list(other_url.journal.keys), other_url.journal.begun) == (["a"], {})
        assert redriven(OLD, state, to=definition(step("a", "transform"))).journal.keys == {}

    def test_error_steps_may_differ_from_the_one_that_failed_on(self):
        old = definition(step("a", on_error="branch", error_steps=[step("e"), step("f")]))
        state = journal(record("a", "failed", handled=True), record("a.e"), record("a.f", "failed"))
        new = definition(step("a", on_error="branch", error_steps=[step("e"), step("f", "transform")]))
        assert statuses(redriven(old, state, to=new, error_path="a.f")) == {"a": "failed", "a.e": "completed"}
        new = definition(step("a", on_error="branch", error_steps=[step("e", "transform"), step("f")]))
        assert "'e': version 2 gives it another" in refusal(old, state, new, error_path="a.f")
