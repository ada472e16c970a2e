"""What undoes a step: where it may stand, what it sees, and who sees it."""

import pytest

from app.json import JsonObject
from tests.support.checking import again, choice, each, found, problems_of, shows, together, undone, when

STOP: JsonObject = {"id": "halt", "type": "stop"}


@pytest.mark.parametrize(
    "steps",
    [
        [undone("a", shows("u", "{{ steps.a.output.x }} {{ error.message }} {{ status }}"))],
        [shows("b", 1), undone("a", shows("u", "{{ steps.b.output }}"))],
        [undone("a", shows("u", 1), shows("v", "{{ steps.u.output }}"))],
        [each("l", shows("b", 1), undone("a", shows("u", "{{ item }} {{ loop.last }} {{ steps.b.output }}")))],
        [again("r", shows("b", 1), undone("a", shows("u", "{{ loop.number }} {{ steps.b.output }}")))],
        [{**choice("c", when(shows("b", 1))), "compensate": [shows("u", "{{ steps.b.output | default(none) }}")]}],
        [together("p", x=[undone("a", shows("u", "{{ steps.a.output }}"))])],
        [undone("a", each("l", shows("u", "{{ error }} {{ item }}")))],
        [undone("a", shows("u", "{{ steps.late.output | default(none) }}")), shows("late", 1)],
        [undone("a", shows("u", 1, on_error="hold"), shows("v", 1, on_error="continue"))],
        [shows("a", 1, on_error="branch", error_steps=[undone("e", shows("u", "{{ error.step_id }}"))])],
    ],
)
def test_what_undoes_a_step_sees_what_came_before_it_and_how_the_run_ends(steps: list[JsonObject]) -> None:
    assert found(*steps) == []


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        (
            [undone("a", shows("u", "{{ steps.late.output }}")), shows("late", 1)],
            "steps[0].compensate[0].mapping.x",
            "step 'late' cannot have run by then: it comes later (steps[1])",
        ),
        (
            [undone("a", shows("u", 1)), shows("b", "{{ steps.u.output }}")],
            "steps[1].mapping.x",
            "step 'u' cannot have run by then: it runs only when steps[0] is undone",
        ),
        (
            [undone("a", shows("u", 1)), undone("b", shows("v", "{{ steps.u.output }}"))],
            "steps[1].compensate[0].mapping.x",
            "step 'u' cannot have run by then: it runs only when steps[0] is undone",
        ),
        (
            [{**each("l", shows("b", 1)), "compensate": [shows("u", "{{ steps.b.output }}")]}],
            "steps[0].compensate[0].mapping.x",
            "step 'b' cannot have run by then: it is inside the loop steps[0]; `collect` gets values out",
        ),
        (
            [{**each("l", shows("b", 1)), "compensate": [shows("u", "{{ item }}")]}],
            "steps[0].compensate[0].mapping.x",
            "unknown name 'item'",
        ),
        (
            [shows("a", "{{ status }}", compensate=[shows("u", 1)])],
            "steps[0].mapping.x",
            "unknown name 'status'",
        ),
        (
            [undone("a", shows("u", 1, output_key="a"))],
            "steps[0].compensate[0].output_key",
            "'a' is also the output key of steps[0], and both can run",
        ),
    ],
)
def test_a_name_that_is_not_there_when_a_step_is_undone(steps: list[JsonObject], path: str, message: str) -> None:
    assert found(*steps) == [(path, message)]


def test_what_failed_and_went_to_its_error_steps_is_not_undone_with_their_names() -> None:
    step = undone("a", shows("u", "{{ steps.e.output }}"), on_error="branch", error_steps=[shows("e", 1)])
    assert [path for path, _message in found(step)] == ["steps[0].compensate[0].mapping.x"]


def test_finally_does_not_see_what_undid_a_step() -> None:
    final = [shows("f", "{{ steps.u.output }}")]
    assert found(undone("a", shows("u", 1)), **{"finally": final}) == [
        ("finally[0].mapping.x", "step 'u' cannot have run by then: it runs only when steps[0] is undone")
    ]


@pytest.mark.parametrize(
    ("definition", "path", "message", "hint"),
    [
        (
            {"steps": [undone("a", undone("u", shows("v", 1)))]},
            "steps[0].compensate[0].compensate",
            "'u' undoes a step, and is not undone itself",
            "remove it",
        ),
        (
            {"steps": [undone("a", choice("c", when(undone("u", shows("v", 1)))))]},
            "steps[0].compensate[0].branches[0].steps[0].compensate",
            "'u' undoes a step, and is not undone itself",
            "remove it",
        ),
        (
            {"steps": [shows("a", 1)], "finally": [undone("f", shows("u", 1))]},
            "finally[0].compensate",
            "'f' stands in finally, which is not undone",
            "put what is to be undone into steps",
        ),
        (
            {"steps": [undone("a", STOP)]},
            "steps[0].compensate[0]",
            "'halt' would stop what undoes a step: the run is ending already",
            "`when`",
        ),
        (
            {"steps": [undone("a", choice("c", when(STOP)), shows("u", 1))]},
            "steps[0].compensate[0].branches[0].steps[0]",
            "'halt' would stop what undoes a step",
            "",
        ),
        ({"steps": [undone("a", STOP, shows("u", 1))]}, "steps[0].compensate[0]", "'halt' would stop", ""),
        (
            {"steps": [{**STOP, "compensate": [shows("u", 1)]}]},
            "steps[0].compensate",
            "a stop does nothing that could be undone",
            "remove it",
        ),
    ],
)
def test_where_nothing_can_be_undone(definition: JsonObject, path: str, message: str, hint: str) -> None:
    [problem] = problems_of(definition)
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.hint


def test_a_stop_in_finally_stays_allowed() -> None:
    assert found(shows("a", 1), **{"finally": [STOP]}) == []
