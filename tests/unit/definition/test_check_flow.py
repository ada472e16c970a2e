"""Which steps can have run when another is reached; which can never be reached; whose names collide."""

import pytest

from app.json import JsonObject
from tests.support.checking import again, choice, each, found, shows, together, when

STOP: JsonObject = {"id": "halt", "type": "stop"}


def test_what_came_before_is_visible() -> None:
    assert found(shows("a", 1), shows("b", "{{ steps.a.output.x }}")) == []
    assert found(choice("c", when(shows("a", 1))), shows("b", "{{ steps.a.output }} {{ steps.c.output }}")) == []
    assert found(choice("c", when(shows("a", 1)), otherwise=[shows("o", 1)]), shows("b", "{{ steps.o.output }}")) == []
    assert found(together("p", x=[shows("a", 1)], y=[shows("b", 1)]), shows("c", "{{ steps.a.output }}")) == []
    assert found(shows("a", 1), choice("c", when(shows("b", "{{ steps.a.output }}")))) == []
    assert found(shows("a", 1), each("l", shows("b", 1), shows("c", "{{ steps.a.output }}{{ steps.b.output }}"))) == []


REFERENCE = "{{ steps.a.output.x }}"


@pytest.mark.parametrize(
    ("steps", "path", "why"),
    [
        ([shows("b", REFERENCE), shows("a", 1)], "steps[0].mapping.x", "it comes later (steps[1])"),
        ([shows("a", REFERENCE)], "steps[0].mapping.x", "it is this step"),
        (
            [choice("a", when(shows("b", REFERENCE)))],
            "steps[0].branches[0].steps[0].mapping.x",
            "this is inside it, so it is not over",
        ),
        (
            [{**choice("c", when(shows("a", 1))), "when": "{{ steps.a.output }}"}],
            "steps[0].when",
            "it is inside this step",
        ),
        (
            [choice("c", when(shows("a", 1)), when(shows("b", REFERENCE)))],
            "steps[0].branches[1].steps[0].mapping.x",
            "it runs instead, in another branch (steps[0].branches[0].steps[0])",
        ),
        (
            [choice("c", when(shows("b", REFERENCE)), otherwise=[shows("a", 1)])],
            "steps[0].branches[0].steps[0].mapping.x",
            "it runs instead, in another branch (steps[0].else[0])",
        ),
        (
            [choice("c", when(shows("a", 1)), otherwise=[shows("b", REFERENCE)])],
            "steps[0].else[0].mapping.x",
            "it runs instead, in another branch (steps[0].branches[0].steps[0])",
        ),
        (
            [together("p", x=[shows("a", 1)], y=[shows("b", REFERENCE)])],
            "steps[0].branches[1].steps[0].mapping.x",
            "it runs at the same time, in another branch (steps[0].branches[0].steps[0])",
        ),
        (
            [each("l", shows("a", 1)), shows("b", REFERENCE)],
            "steps[1].mapping.x",
            "it is inside the loop steps[0]; `collect` gets values out",
        ),
        ([each("l", shows("a", 1), items=REFERENCE)], "steps[0].items", "it is inside the loop steps[0]"),
        (
            [each("l", each("m", shows("a", 1)), shows("b", REFERENCE))],
            "steps[0].steps[1].mapping.x",
            "it is inside the loop steps[0].steps[0]",
        ),
        ([each("l", shows("b", REFERENCE), shows("a", 1))], "steps[0].steps[0].mapping.x", "it comes later"),
        (
            [each("l", shows("a", 1), on_error="branch", error_steps=[shows("b", REFERENCE)])],
            "steps[0].error_steps[0].mapping.x",
            "it is inside the loop steps[0]",
        ),
        (
            [again("r", shows("a", 1)), shows("b", REFERENCE)],
            "steps[1].mapping.x",
            "it is inside the repeat steps[0], whose output is that of its last step",
        ),
        (
            [again("r", shows("a", 1), **{"while": REFERENCE})],
            "steps[0].while",
            "it is inside the repeat steps[0]",
        ),
        ([again("r", shows("a", 1), interval=REFERENCE)], "steps[0].interval", "it is inside the repeat steps[0]"),
        (
            [again("r", shows("a", 1), on_error="branch", error_steps=[shows("b", REFERENCE)])],
            "steps[0].error_steps[0].mapping.x",
            "it is inside the repeat steps[0]",
        ),
        ([again("a", shows("b", 1), until=REFERENCE)], "steps[0].until", "it is this step"),
        ([again("a", shows("b", REFERENCE))], "steps[0].steps[0].mapping.x", "this is inside it, so it is not over"),
        (
            [shows("c", REFERENCE, on_error="branch", error_steps=[shows("a", 1)])],
            "steps[0].mapping.x",
            "it is inside this step",
        ),
    ],
)
def test_a_step_that_cannot_have_run_is_named_with_the_reason(steps: list[JsonObject], path: str, why: str) -> None:
    assert len(found(*steps)) == 1
    place, message = found(*steps)[0]
    assert place == path
    assert message.startswith("step 'a' cannot have run by then: ")
    assert why in message


def test_a_guarded_reference_to_a_step_that_may_not_have_run_is_fine() -> None:
    for expression in ("{{ steps.a.output | default(none) }}", "{{ 1 if steps.a is defined else 2 }}"):
        assert found(shows("b", expression), shows("a", 1)) == []
    assert found(shows("b", "{{ steps.zz.output | default(none) }}")) == [
        ("steps[0].mapping.x", "there is no step 'zz'")
    ]


def test_a_field_of_a_condition_that_asks_whether_it_exists_is_guarded() -> None:
    later = shows("a", 1)
    assert found(shows("b", 1, when={"field": "steps.a.output", "operator": "not_exists"}), later) == []
    compared = shows("b", 1, when={"field": "steps.a.output", "operator": "equals", "value": 1})
    assert [path for path, _message in found(compared, later)] == ["steps[0].when.field"]


def test_error_steps_see_the_failed_step_and_what_ran_inside_it() -> None:
    error_steps = [shows("e", "{{ steps.a.error.message }} {{ error.message }}"), shows("f", "{{ steps.e.output }}")]
    assert found(shows("a", 1, on_error="branch", error_steps=error_steps)) == []
    inner = [shows("e", "{{ steps.b.output | default(none) }} {{ steps.b.status }}")]
    assert found({**choice("c", when(shows("b", 1))), "on_error": "branch", "error_steps": inner}) == []
    assert (
        found(shows("a", 1, on_error="branch", error_steps=[shows("e", 1)]), shows("b", "{{ steps.e.output }}")) == []
    )


def test_a_loops_collect_sees_its_body_and_its_item() -> None:
    assert found(each("l", shows("a", 1), collect="{{ steps.a.output.x + item + loop.index }}")) == []


def test_until_sees_the_iteration_and_while_what_is_around_it() -> None:
    assert found(again("r", shows("a", 1), until="{{ steps.a.output.x + loop.index > 3 }}")) == []
    compared = {"field": "steps.a.output.x", "operator": "equals", "value": "{{ steps.a.output.x + loop.index }}"}
    assert found(again("r", shows("a", 1), until=compared)) == []
    assert found(shows("a", 1), again("r", shows("b", 1), **{"while": "{{ steps.a.output.x > loop.number }}"})) == []
    assert found(shows("a", 1), again("r", shows("b", 1), interval="{{ steps.a.output.x }}s")) == []
    assert found(again("r", shows("a", 1)), shows("b", "{{ steps.r.output.output }}")) == []


def test_a_repeat_does_not_know_its_last_iteration() -> None:
    for field in ("last", "length"):
        expression = f"{{{{ loop.{field} }}}}"
        said = f"loop has no '{field}'"
        assert found(again("r", shows("a", expression))) == [("steps[0].steps[0].mapping.x", said)]
        assert [message for _path, message in found(again("r", shows("a", 1), until=expression))] == [said]
        assert [message for _path, message in found(again("r", shows("a", 1), **{"while": expression}))] == [said]
        inner = each("l", shows("a", expression))
        assert found(again("r", inner)) == []
        assert found(each("m", again("r", shows("a", expression)))) == [("steps[0].steps[0].steps[0].mapping.x", said)]


def test_a_repeat_inside_a_loop_sees_the_item() -> None:
    assert found(each("l", again("r", shows("a", "{{ item }}"), until="{{ item == steps.a.output.x }}"))) == []


def test_finally_and_the_output_see_what_may_have_run() -> None:
    final = [shows("f", "{{ steps.a.output | default(none) }} {{ steps.a.status }} {{ error }} {{ status }}")]
    assert found(shows("a", 1), **{"finally": final}, output="{{ steps.a.output }}") == []
    late = found(shows("a", 1), **{"finally": [shows("f", 1)]}, output="{{ steps.f.output }}")
    assert [path for path, _message in late] == ["output"]


def test_an_output_key_is_the_name_later_steps_use() -> None:
    assert found(shows("a", 1, output_key="lead"), shows("b", "{{ steps.lead.output }}")) == []
    assert found(shows("a", 1, output_key="lead"), shows("b", "{{ steps.a.output }}")) == [
        ("steps[1].mapping.x", "there is no step 'a'")
    ]


def test_an_id_stands_once() -> None:
    assert found(shows("a", 1), each("l", shows("a", 2))) == [
        ("steps[1].steps[0].id", "the id 'a' is taken by steps[0]")
    ]
    assert found(shows("a", 1), **{"finally": [shows("a", 2)]}) == [
        ("finally[0].id", "the id 'a' is taken by steps[0]")
    ]


def test_branches_that_exclude_each_other_may_share_an_output_key() -> None:
    one, two = shows("a", 1, output_key="lead"), shows("b", 2, output_key="lead")
    assert found(choice("c", when(one), when(two)), shows("d", "{{ steps.lead.output }}")) == []
    assert found(choice("c", when(one), otherwise=[two])) == []


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([shows("a", 1, output_key="k"), shows("b", 2, output_key="k")], "steps[1].output_key"),
        ([shows("a", 1, output_key="b"), shows("b", 2)], "steps[1].id"),
        (
            [together("p", x=[shows("a", 1, output_key="k")], y=[shows("b", 2, output_key="k")])],
            "steps[0].branches[1].steps[0].output_key",
        ),
        ([choice("c", when(shows("a", 1, output_key="k"))), shows("b", 2, output_key="k")], "steps[1].output_key"),
        (
            [shows("a", 1, output_key="k"), choice("c", when(shows("b", 2, output_key="k")))],
            "steps[1].branches[0].steps[0].output_key",
        ),
        ([shows("a", 1, output_key="k"), each("l", shows("b", 2, output_key="k"))], "steps[1].steps[0].output_key"),
        ([shows("a", 1, output_key="k"), again("r", shows("b", 2, output_key="k"))], "steps[1].steps[0].output_key"),
    ],
)
def test_output_keys_that_can_both_run_collide(steps: list[JsonObject], path: str) -> None:
    assert [place for place, _message in found(*steps)] == [path]
    assert "and both can run" in found(*steps)[0][1]


def test_loops_side_by_side_may_use_the_same_output_key() -> None:
    body = {"output_key": "k"}
    assert found(each("l", shows("a", 1, **body)), each("m", shows("b", 1, **body))) == []
    assert found(again("r", shows("a", 1, **body)), again("s", shows("b", 1, **body))) == []


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([STOP, shows("a", 1), shows("b", 1)], "steps[1]"),
        ([each("l", STOP, shows("a", 1))], "steps[0].steps[1]"),
        ([choice("c", when(STOP), otherwise=[{"id": "halt2", "type": "stop"}]), shows("a", 1)], "steps[1]"),
        ([together("p", x=[shows("b", 1), STOP], y=[shows("c", 1)]), shows("a", 1)], "steps[1]"),
        ([again("r", STOP), shows("a", 1)], "steps[1]"),
        ([again("r", STOP, shows("a", 1))], "steps[0].steps[1]"),
    ],
)
def test_what_follows_a_stop_is_never_reached(steps: list[JsonObject], path: str) -> None:
    assert [place for place, _message in found(*steps)] == [path]
    assert "is never reached" in found(*steps)[0][1]


@pytest.mark.parametrize(
    "steps",
    [
        [{**STOP, "when": "{{ trigger.x }}"}, shows("a", 1)],
        [{**STOP, "enabled": False}, shows("a", 1)],
        [choice("c", when(STOP)), shows("a", 1)],
        [choice("c", when(STOP), otherwise=[shows("b", 1)]), shows("a", 1)],
        [each("l", STOP), shows("a", 1)],
        [again("r", STOP, **{"while": "{{ trigger.x }}"}), shows("a", 1)],
        [{**together("p", x=[STOP], y=[shows("c", 1)]), "wait_for": "any"}, shows("a", 1)],
        [shows("a", 1), STOP],
    ],
)
def test_what_follows_a_stop_that_may_not_be_met_is_reached(steps: list[JsonObject]) -> None:
    assert found(*steps) == []
