"""What single kinds ask for, and limits of the whole tree."""

import pytest

from app.json import Json, JsonObject
from tests.support.checking import again, each, found, problems_of, shows, together, undone


def wait(**fields: Json) -> JsonObject:
    return {"id": "a", "type": "wait_for_event", "event": "a.b", **fields}


def delay(**fields: Json) -> JsonObject:
    return {"id": "a", "type": "delay", **fields}


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        (
            {"id": "a", "type": "condition", "branches": [{"when": True, "steps": []}]},
            ".branches[0].steps",
            "the branch is empty",
        ),
        (together("a", x=[]), ".branches[0].steps", "the branch 'x' is empty"),
        (
            {
                "id": "a",
                "type": "parallel",
                "branches": [{"name": "x", "steps": [shows("b", 1)]}, {"name": "x", "steps": [shows("c", 1)]}],
            },
            ".branches[1].name",
            "two branches are called 'x'",
        ),
        ({**together("a", x=[shows("b", 1)]), "wait_for": 2}, ".wait_for", "waits for 2 branches, and there are 1"),
        (each("a"), ".steps", "the loop is empty"),
        (each("a", shows("b", 1), items="text"), ".items", "the items are a text, not a list"),
        (
            each("a", shows("b", 1), items="{{ trigger.a }} and more"),
            ".items",
            "the items are text with expressions in it, not a list",
        ),
        (each("a", shows("b", 1), items={"x": 1}), ".items", "the items are an object, not a list"),
        (each("a", shows("b", 1), items=None), ".items", "the items are null, not a list"),
        (each("a", shows("b", 1), item_variable="steps"), ".item_variable", "'steps' already means something else"),
        (each("a", shows("b", 1), item_variable="status"), ".item_variable", "'status' already means something else"),
        (again("a"), ".steps", "the repeat is empty"),
        (again("a", shows("b", 1), **{"until": True, "while": True}), "", "the repeat has until and while"),
        ({"id": "a", "type": "repeat", "steps": [shows("b", 1)]}, "", "the repeat says not when it is done"),
        (again("a", shows("b", 1), interval="{{ zz }}"), ".interval", "unknown name 'zz'"),
        (again("a", shows("b", 1), until="{{ zz }}"), ".until", "unknown name 'zz'"),
        (
            again("a", shows("b", 1), until={"field": "zz", "operator": "equals", "value": 1}),
            ".until.field",
            "unknown name 'zz'",
        ),
        (
            again("a", shows("b", 1), **{"while": {"all": [{"field": "zz", "operator": "exists"}]}}),
            ".while.all[0].field",
            "unknown name 'zz'",
        ),
        ({"id": "a", "type": "filter", "items": 5, "where": True}, ".items", "the items are a number, not a list"),
        (
            {"id": "a", "type": "aggregate", "items": "x", "operation": "sum"},
            ".items",
            "the items are a text, not a list",
        ),
        ({"id": "a", "type": "aggregate", "items": [], "operation": "group_by"}, ".field", "group_by needs a field"),
        (
            {"id": "a", "type": "aggregate", "items": [], "operation": "sum", "field": "a..b"},
            ".field",
            "'a..b' is no path",
        ),
        ({"id": "a", "type": "aggregate", "items": [], "operation": "sum", "field": "{{ x }}"}, ".field", "is no path"),
        ({"id": "a", "type": "transform", "mapping": {}}, ".mapping", "the mapping is empty"),
        (delay(), "", "the delay says not how long"),
        (delay(duration="1s", until="2030-01-31T09:00:00Z"), "", "the delay has duration and until"),
        (delay(until="tomorrow"), ".until", "'tomorrow' is no moment"),
        (delay(at={"time": "09:00", "timezone": "Mars/Base"}), ".at.timezone", "there is no time zone 'Mars/Base'"),
        (delay(at={"time": "09:00", "timezone": "{{ trigger.zone }}"}), ".at.timezone", "there is no time zone"),
        (wait(event="a.*.b"), ".event", "'a.*.b' is no event type"),
        (wait(event="*"), ".event", "'*' is no event type"),
        (wait(event="a..b"), ".event", "'a..b' is no event type"),
        (wait(event="{{ trigger.type }}"), ".event", "is no event type"),
        (wait(since="yesterday"), ".since", "'yesterday' is no moment"),
        (wait(on_timeout="fail"), ".on_timeout", "on_timeout is fail, and there is no timeout"),
        (shows("a", 1, on_error="branch"), ".error_steps", "on_error is branch, and there are no error_steps"),
        (shows("a", 1, error_steps=[shows("b", 1)]), ".on_error", "error_steps never run: on_error is fail"),
        (shows("a", 1, on_error="continue", error_steps=[shows("b", 1)]), ".on_error", "error_steps never run"),
        (shows("a", 1, on_error="hold", error_steps=[shows("b", 1)]), ".on_error", "error_steps never run"),
        (
            {
                "id": "a",
                "type": "stop",
                "when": {"field": "trigger.x", "operator": "matches", "value": "{{ '(' | uper }}"},
            },
            ".when.value",
            "unknown filter 'uper'",
        ),
    ],
)
def test_what_a_kind_does_not_take(step: JsonObject, path: str, message: str) -> None:
    problems = found(step)
    assert [place for place, _message in problems] == [f"steps[0]{path}"]
    assert message in problems[0][1]


@pytest.mark.parametrize(
    "step",
    [
        delay(duration="{{ trigger.pause }}"),
        delay(until="{{ trigger.at }}"),
        delay(until="2030-01-31T09:00:00+01:00"),
        delay(at={"time": "09:00", "timezone": "Europe/Berlin", "days": ["mon", "fri"]}),
        wait(event="crm.deal.*"),
        wait(event="com.example-shop.order_created", since="run_start", timeout="3d", on_timeout="fail"),
        wait(since="{{ run.started_at }}"),
        wait(since="2030-01-31T09:00:00Z"),
        each("a", shows("b", 1), items="{{ trigger.items }}"),
        each("a", shows("b", 1), items=[1, "{{ trigger.x }}"]),
        {"id": "a", "type": "aggregate", "items": [], "operation": "sum", "field": "lines[0].total"},
        {**together("a", x=[shows("b", 1)], y=[shows("c", 1)]), "wait_for": 2},
        shows("a", 1, on_error="branch", error_steps=[shows("b", 1)]),
        {"id": "a", "type": "stop"},
        again("a", shows("b", 1), until="{{ steps.b.output.x > loop.index }}", interval="{{ loop.number * 2 }}s"),
        again("a", shows("b", "{{ loop.first }}"), **{"while": {"field": "loop.index", "operator": "is_empty"}}),
    ],
)
def test_what_a_kind_takes(step: JsonObject) -> None:
    assert found(step) == []


@pytest.mark.parametrize(
    "step",
    [
        shows("a", 1),
        wait(),
        delay(duration="1s"),
        each("a", shows("b", 1)),
        again("a", shows("b", 1)),
        together("a", x=[shows("b", 1)]),
        {"id": "a", "type": "condition", "branches": [{"when": True, "steps": [shows("b", 1)]}]},
        {"id": "a", "type": "set_variable", "variables": {"x": 1}},
        {"id": "a", "type": "action", "action": "web.call"},
    ],
    ids=lambda step: str(step["type"]),
)
def test_every_kind_can_be_held_and_undone(step: JsonObject) -> None:
    assert found({**step, "on_error": "hold", "compensate": [shows("undo", "{{ steps.a.output }}")]}) == []


def test_a_workflow_without_steps_is_no_workflow() -> None:
    assert found() == [("steps", "the workflow has no steps")]
    assert found(**{"finally": [shows("a", 1)]}) == [("steps", "the workflow has no steps")]


def test_steps_are_counted_over_the_whole_tree() -> None:
    steps = [
        each("l", *(shows(f"a{index}", 1) for index in range(30))),
        *(shows(f"b{index}", 1) for index in range(19)),
    ]
    assert problems_of({"steps": steps}) == []
    over = problems_of({"steps": steps, "finally": [shows("c", 1)]})
    assert [(problem.path, problem.message) for problem in over] == [
        ("steps", "the workflow has 51 steps, 50 are allowed")
    ]
    assert problems_of({"steps": steps, "finally": [shows("c", 1)]}, max_steps=51) == []


def test_steps_that_undo_others_are_counted() -> None:
    steps = [undone(f"a{index}", shows(f"b{index}", 1)) for index in range(26)]
    assert [problem.message for problem in problems_of({"steps": steps})] == [
        "the workflow has 52 steps, 50 are allowed"
    ]


def test_far_too_many_steps_are_one_problem() -> None:
    steps = [shows(f"a{index}", "{{ zz }}") for index in range(1_001)]
    assert [problem.path for problem in problems_of({"steps": steps})] == ["steps"]


def test_nesting_has_a_limit() -> None:
    steps = [shows("a", 1)]
    for index in range(15):
        steps = [each(f"l{index}", *steps)]
    assert problems_of({"steps": steps}) == []
    deeper = problems_of({"steps": [each("outer", *steps)]})
    assert [problem.message for problem in deeper] == ["steps are nested 17 levels deep, 16 are allowed"]
    assert deeper[0].path == "steps[0]" + ".steps[0]" * 16


def test_nesting_counts_repeats_and_what_undoes_a_step() -> None:
    steps = [undone("a", shows("b", 1))]
    for index in range(14):
        steps = [again(f"r{index}", *steps)]
    assert problems_of({"steps": steps}) == []
    assert [problem.path for problem in problems_of({"steps": [again("outer", *steps)]})] == [
        "steps[0]" + ".steps[0]" * 15 + ".compensate[0]"
    ]


def test_all_problems_come_at_once_in_the_order_of_their_places() -> None:
    paths = [
        path for path, _message in found(shows("a", "{{ zz }}"), delay(), shows("c", "{{ yy }}"), output="{{ xx }}")
    ]
    assert paths == ["output", "steps[0].mapping.x", "steps[1]", "steps[1].id", "steps[2].mapping.x"]
