"""The catalog as a whole: every entry says what a reader needs, and every action that is described can be done."""

import json

import jsonschema
import pytest

from activities import email, event, http, webhook  # noqa: F401  (importing registers their actions)
from activities.base import REGISTERED
from app.catalog.base import Action
from app.catalog.connections import CONNECTION_KINDS
from app.catalog.inline import INLINE
from app.catalog.registry import ACTIONS, LOOKUP, resolve
from app.definition.check import check
from app.definition.parse import parse

EVERY = [pytest.param(entry, id=entry.id) for entry in ACTIONS.values()]


def test_the_actions_are_those_the_documentation_names() -> None:
    assert list(ACTIONS) == [
        "email.send",
        "event.emit",
        "http.request",
        "transform.aggregate",
        "transform.filter",
        "transform.format_date",
        "transform.map",
        "transform.template",
        "webhook.send",
    ]


def test_every_action_can_be_done_and_nothing_else_is_described() -> None:
    inline = {entry.id for entry in ACTIONS.values() if entry.where == "inline"}
    assert set(INLINE) == inline
    assert set(REGISTERED) == set(ACTIONS) - inline


@pytest.mark.parametrize(
    ("alias", "id"),
    [
        ("send_email", "email.send"),
        ("api_call", "http.request"),
        ("webhook_call", "webhook.send"),
        ("emit_event", "event.emit"),
    ],
)
def test_an_action_is_found_by_its_other_name(alias: str, id: str) -> None:
    found = resolve(alias)
    assert found is not None
    assert found.id == id
    assert LOOKUP[alias] is LOOKUP[id] is found


def test_a_name_nobody_has_is_not_found() -> None:
    assert resolve("email.fly") is None


@pytest.mark.parametrize("entry", EVERY)
def test_every_entry_says_what_people_need_to_know(entry: Action) -> None:
    assert entry.category == entry.id.split(".", maxsplit=1)[0]
    for text in (entry.title, entry.description, entry.icon, entry.idempotency):
        assert text.strip()
    assert entry.examples
    assert entry.errors
    assert entry.connection is None or entry.connection in CONNECTION_KINDS


@pytest.mark.parametrize("entry", EVERY)
def test_every_field_is_described_in_a_valid_schema(entry: Action) -> None:
    for schema in (entry.inputs.model_json_schema(), entry.outputs.model_json_schema(mode="serialization")):
        jsonschema.Draft202012Validator.check_schema(schema)
        json.dumps(schema)
        own = {name: field for name, field in schema["properties"].items() if not field.get("description")}
        assert not own, f"{entry.id}: fields without a description: {sorted(own)}"


@pytest.mark.parametrize("entry", EVERY)
def test_every_example_is_a_step_that_can_be_published(entry: Action) -> None:
    for example in entry.examples:
        assert set(example) <= {"title", "inputs", "connection"}
        assert ("connection" in example) or not entry.connection_required
        step = {"id": "example", "type": "action", "action": entry.id, "inputs": example["inputs"]}
        document = {
            "trigger": {"type": "manual"},
            "variables": {"api_key": "k", "currency": "EUR"},
            "steps": [{**step, "connection": example["connection"]} if "connection" in example else step],
        }
        connections = {example.get("connection", ""): entry.connection or ""}
        assert check(parse(document), actions=LOOKUP, connections=connections) == []


@pytest.mark.parametrize("entry", EVERY)
def test_inputs_refuse_what_they_do_not_know(entry: Action) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        entry.inputs.model_validate({"no_such_field": 1})
