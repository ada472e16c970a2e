"""What publishing says of `respond` and `run_workflow` from the definition alone."""

import pytest

from app.definition.check import check
from app.definition.parse import parse
from app.json import Json, JsonObject
from tests.support.steps import group, loop, parallel, put, repeat, stop


def respond(id: str, **more: Json) -> JsonObject:
    return {"id": id, "type": "respond", **more}


def runs(id: str, **more: Json) -> JsonObject:
    return {"id": id, "type": "run_workflow", "workflow": "other", **more}


def either(id: str, *branches: list[JsonObject], **more: Json) -> JsonObject:
    told = [{"when": "{{ trigger.a }}", "steps": steps} for steps in branches]
    return {"id": id, "type": "condition", "branches": told, **more}


def warned(*steps: JsonObject, **head: Json) -> list[str]:
    """Where publishing warns, and finds nothing else."""
    problems = check(parse({"steps": list(steps), **head}), actions={})
    assert {problem.severity for problem in problems} <= {"warning"}, problems
    return [problem.path for problem in problems]


def problems(*steps: JsonObject, **head: Json) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in check(parse({"steps": list(steps), **head}), actions={})]


@pytest.mark.parametrize(
    "steps",
    [
        [respond("a"), put("b")],
        [either("c", [respond("a")], [respond("b")], **{"else": [respond("d")]})],
        [either("c", [respond("a"), stop("s")]), respond("b")],
        [respond("a", on_error="branch", error_steps=[respond("b")])],
        [respond("a", enabled=False), respond("b")],
        [loop("l", 3, either("c", [respond("a"), stop("s")])), respond("b")],
        [put("p", compensate=[respond("u")]), respond("a")],
    ],
)
def test_answers_that_exclude_each_other_are_fine(steps: list[JsonObject]) -> None:
    assert warned(*steps) == []


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        ([respond("a"), respond("b")], ["steps[1]"]),
        ([either("c", [respond("a")]), respond("b")], ["steps[1]"]),
        ([parallel("p", [respond("a")], [respond("b")])], ["steps[0].branches[1].steps[0]"]),
        ([loop("l", 3, respond("a"))], ["steps[0].steps[0]"]),
        ([repeat("r", respond("a"), until="{{ loop.index > 1 }}")], ["steps[0].steps[0]"]),
        ([group("g", respond("a"), on_error="branch", error_steps=[respond("b")])], ["steps[0].error_steps[0]"]),
        ([group("g", put("x"), on_error="branch", error_steps=[respond("a")]), respond("b")], ["steps[1]"]),
    ],
)
def test_a_second_answer_is_warned_of(steps: list[JsonObject], places: list[str]) -> None:
    assert warned(*steps) == places


def test_what_is_written_out_is_judged_at_once() -> None:
    found = problems(
        respond("a", status=99, headers={"Set-Cookie": "a=b", "X-A": "a\nb", "X-B": "{{ trigger.b }}"}),
        respond("b", status=204, body={"a": 1}, enabled=False),
        respond("c", status="{{ trigger.status }}", enabled=False),
    )
    assert [place for place, _ in found] == [
        "steps[0].headers", "steps[0].headers.Set-Cookie", "steps[0].headers.X-A", "steps[0].status", "steps[1].body",
    ]  # fmt: skip


def test_a_run_that_is_not_waited_for_takes_no_timeout() -> None:
    [(place, message)] = problems(runs("a", wait=False, timeout="1m"))
    assert (place, "not waited for" in message) == ("steps[0].timeout", True)
    assert problems(runs("a", timeout="1m")) == []


def test_steps_see_the_id_of_a_run_that_was_started() -> None:
    assert problems(runs("a"), put("b", "{{ steps.a.run_id }}")) == []
    [(place, message)] = problems(put("a"), put("b", "{{ steps.a.run_id }}"))
    assert (place, "no 'run_id'" in message) == ("steps[1].mapping.value", True)
