"""What is still checked of a document that has not the shape of a definition."""

import pytest

from app.catalog.registry import LOOKUP
from app.definition.check import check
from app.definition.mending import mended
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.json import Json, JsonObject

UNKNOWN_ACTION: JsonObject = {"id": "a", "type": "action", "action": "email.sned"}


def further(document: Json) -> list[str] | None:
    """Paths of the problems found besides those of the shape; None when nothing could be checked."""
    with pytest.raises(DefinitionInvalid) as invalid:
        parse(document)
    rest = mended(document, invalid.value.problems)
    if rest is None:
        return None
    found = check(rest.definition, actions=LOOKUP, connections={})
    return [problem.path for problem in found if rest.concerns(problem)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"triger": {"type": "manual"}},
        {"settings": {"timeout": "soon"}},
        {"trigger": {"type": "tuesday"}},
        {"steps": [{"id": "b", "type": "delay", "duration": "5x"}, UNKNOWN_ACTION]},
        {"steps": [{"id": "b", "type": "nap", "steps": [{"id": "c", "type": "stop"}]}, UNKNOWN_ACTION]},
        {"steps": ["nonsense", UNKNOWN_ACTION]},
        {"finally": [{"id": "b", "type": "delay", "duration": 5.5}]},
    ],
)
def test_an_unknown_action_is_found_beside_a_problem_of_the_shape(wrong: JsonObject) -> None:
    assert any(path.endswith(".action") for path in further({"steps": [UNKNOWN_ACTION], **wrong}) or [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"retri": {}},
        {"retry": {"max_attempts": 0}},
        {"retry": {"retry_on": ["nothing"]}},
        {"on_error": "wait"},
        {"compensate": {}},
        {"compensate": [{"id": "undo", "type": "udno"}]},
        {"when": {"field": "x", "operator": "eq"}},
    ],
)
def test_a_step_with_a_problem_of_its_own_is_checked_without_it(wrong: JsonObject) -> None:
    assert further({"steps": [{**UNKNOWN_ACTION, **wrong}]}) == ["steps[0].action"]


def test_a_step_without_id_is_checked() -> None:
    assert further({"steps": [{"type": "action", "action": "email.sned"}]}) == ["steps[0].action"]


def test_a_branch_whose_condition_cannot_be_read_is_checked() -> None:
    branch = {"when": {"field": "trigger.x", "operator": "eq", "value": 1}, "steps": [UNKNOWN_ACTION]}
    document = {"steps": [{"id": "c", "type": "condition", "branches": [branch]}]}
    assert further(document) == ["steps[0].branches[0].steps[0].action"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": {"field": "steps.a.output", "operator": "eq", "value": 1}},
        {"while": "loop.index < 3"},
        {"until": True, "interval": 5},
        {"until": True, "on_exhausted": "hold"},
        {"untill": True},
    ],
)
def test_what_is_inside_a_repeat_with_a_problem_of_its_own_is_checked(wrong: JsonObject) -> None:
    repeat = {"id": "r", "type": "repeat", "steps": [UNKNOWN_ACTION], **wrong}
    assert further({"steps": [repeat]}) == ["steps[0].steps[0].action"]


def test_a_step_that_lacks_what_a_misspelt_key_was_to_say_is_not_blamed_for_it() -> None:
    assert further({"steps": [{"id": "b", "type": "delay", "durration": "5s"}]}) == []


def test_a_step_that_undoes_another_is_checked_beside_a_problem_of_the_shape() -> None:
    done = {"id": "b", "type": "transform", "mapping": {"x": 1}, "compensate": [UNKNOWN_ACTION], "nmae": "x"}
    assert further({"steps": [done]}) == ["steps[0].compensate[0].action"]
    unknown_kind = {"id": "u", "type": "udno"}
    beside = {"id": "b", "type": "transform", "mapping": {"x": 1}, "compensate": [unknown_kind, UNKNOWN_ACTION]}
    assert further({"steps": [beside]}) == ["steps[0].compensate[1].action"]


def test_nobody_is_blamed_for_what_was_taken_out() -> None:
    lost = {"id": "b", "type": "lop", "steps": [{"id": "inner", "type": "stop"}]}
    uses = {"id": "c", "type": "transform", "mapping": {"x": "{{ steps.b.output }} {{ steps.inner.output }}"}}
    assert further({"steps": [lost, uses]}) == []
    event = {"id": "d", "type": "transform", "mapping": {"x": "{{ event.type }}"}}
    assert further({"trigger": {"type": "event", "evnt": "a.b"}, "steps": [event]}) == []


@pytest.mark.parametrize("document", ["text", [], {"steps": "none"}, {"variables": [], "steps": [UNKNOWN_ACTION]}])
def test_where_nothing_can_be_told_nothing_is(document: Json) -> None:
    assert further(document) is None
