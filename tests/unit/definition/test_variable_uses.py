"""Where a document uses a variable of the workspace, whatever its state."""

import pytest

from app.definition.checks.secrets import used
from app.definition.variable_uses import variable_uses
from app.json import Json


@pytest.mark.parametrize(
    ("text", "secret", "plain"),
    [
        ("{{ secrets.key }}", True, False),
        ("Key {{ secrets['key'] }}", True, False),
        ("{{ workspace.vars.key.deep[0] | upper }}", False, True),
        ("{% if workspace.vars['key'] %}a{% endif %}", False, True),
        ("{{ vars.key }} {{ secrets.key_2 }} {{ workspace.key }} {{ workspace.vars }}", False, False),
        ("secrets.key", False, False),
        ("{{ secrets.key", False, False),
    ],
)
def test_a_use_is_found_where_it_is_one(text: str, secret: bool, plain: bool) -> None:
    document = {"steps": [{"id": "a", "inputs": {"x": [text, text]}}, {"id": "b"}]}
    places = ["steps[0].inputs.x[0]", "steps[0].inputs.x[1]"]
    assert variable_uses(document, "key", is_secret=True) == (places if secret else [])
    assert variable_uses(document, "key", is_secret=False) == (places if plain else [])


@pytest.mark.parametrize("document", [None, 1, "{{", [], {"steps": "{{ a b }}"}])
def test_what_is_no_definition_uses_nothing(document: Json) -> None:
    assert variable_uses(document, "key", is_secret=True) == []


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"field": "workspace.vars.key", "operator": "equals", "value": 1}, "when.field"),
        ({"all": [{"field": "workspace.vars['key'].deep", "operator": "exists"}]}, "when.all[0].field"),
        ({"workspace.vars.key": 1}, 'when["workspace.vars.key"]'),
        ({"field": "workspace.vars", "operator": "exists"}, None),
        ({"field": "workspace.vars.", "operator": "exists"}, None),
        ({"field": "trigger.text", "operator": "equals", "value": "workspace.vars.key"}, None),
    ],
)
def test_a_field_of_a_condition_is_a_use_as_well(condition: Json, place: str | None) -> None:
    document = {"when": condition}
    assert variable_uses(document, "key", is_secret=False) == ([place] if place else [])
    assert used(document) == (frozenset(), frozenset({"key"} if place else ()))


def test_a_place_is_told_once() -> None:
    assert variable_uses({"output": "{{ secrets.key }}{{ secrets.key }}"}, "key", is_secret=True) == ["output"]
