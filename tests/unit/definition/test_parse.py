"""Documents to definitions and back: the canonical form, digests and the schema."""

import json

from jsonschema import Draft202012Validator

from app.definition.model import Definition
from app.definition.parse import digest, dump, dump_step, json_schema, parse, parse_step
from app.definition.steps import Step, StepBase
from app.json import Json, JsonObject

EVERY_KIND: list[JsonObject] = [
    {
        "id": "call",
        "type": "action",
        "action": "http.request",
        "inputs": {"url": "https://example.com"},
        "connection": "main",
        "retry": {"max_attempts": 5, "initial_interval": "2s", "backoff": 3, "max_interval": "5m"},
        "timeout": "30s",
        "on_error": "continue",
        "when": "{{ trigger.go }}",
        "name": "Call it",
        "enabled": False,
    },
    {
        "id": "choose",
        "type": "condition",
        "branches": [
            {
                "when": {"field": "trigger.x", "operator": "equals", "value": 1},
                "steps": [{"id": "end", "type": "stop", "reason": "done", "status": "failed", "output": {"a": 1}}],
            }
        ],
        "else": [{"id": "rest", "type": "transform", "mapping": {"a": "{{ 1 }}"}}],
    },
    {"id": "pause", "type": "delay", "duration": "2h"},
    {"id": "morning", "type": "delay", "at": {"time": "09:00", "timezone": "Europe/Berlin", "days": ["mon"]}},
    {
        "id": "bought",
        "type": "wait_for_event",
        "event": "shop.order.*",
        "match": {"id": "{{ trigger.id }}"},
        "since": "run_start",
        "timeout": "3d",
        "on_timeout": "fail",
    },
    {
        "id": "each",
        "type": "loop",
        "items": "{{ trigger.items }}",
        "concurrency": 3,
        "collect": "{{ item }}",
        "steps": [{"id": "keep", "type": "set_variable", "variables": {"last": "{{ item }}"}, "scope": "workflow"}],
    },
    {
        "id": "both",
        "type": "parallel",
        "wait_for": 1,
        "on_branch_error": "wait",
        "branches": [{"name": "a", "steps": [{"id": "few", "type": "filter", "items": [1], "where": True}]}],
    },
    {
        "id": "total",
        "type": "aggregate",
        "items": [1],
        "operation": "sum",
        "on_error": "branch",
        "error_steps": [{"id": "sorry", "type": "stop"}],
    },
]

WHOLE: JsonObject = {
    "name": "All of it",
    "trigger": {"type": "event", "event": "crm.deal.won", "filter": {"total": {"$gt": 5}}},
    "settings": {"timeout": "30d", "dispatch": "scheduled"},
    "variables": {"currency": "EUR"},
    "steps": EVERY_KIND,
    "finally": [{"id": "tidy", "type": "stop"}],
    "output": {"x": "{{ vars.currency }}"},
}


def test_a_definition_with_every_kind_is_read_and_written_as_it_was() -> None:
    definition = parse(WHOLE)
    assert dump(definition) == WHOLE
    assert parse(dump(definition)) == definition
    json.dumps(dump(definition))
    used = {step["type"] for step in EVERY_KIND} | {"set_variable", "transform", "filter", "stop"}
    assert used == {kind.model_fields["type"].annotation.__args__[0] for kind in StepBase.__subclasses__()}  # type: ignore[union-attr]


def test_the_canonical_form_leaves_out_what_says_no_more_than_the_default() -> None:
    document = {
        "steps": [{"id": "a", "type": "delay", "duration": "1s", "enabled": True, "on_error": "fail", "name": ""}]
    }
    assert dump(parse(document)) == {"steps": [{"id": "a", "type": "delay", "duration": "1s"}]}
    assert dump(parse({})) == {}


def test_a_step_alone_is_read_and_written() -> None:
    for document in EVERY_KIND:
        assert dump_step(parse_step(document)) == document


def test_steps_nested_to_the_limit_are_read() -> None:
    steps: list[Json] = [{"id": "a", "type": "stop"}]
    for index in range(40):
        steps = [{"id": f"l{index}", "type": "loop", "items": [], "steps": steps}]
    assert dump(parse({"steps": steps})) == {"steps": steps}


def test_the_digest_depends_on_what_is_said_not_on_how() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_the_schema_is_a_json_schema_and_takes_what_the_models_take() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert list(validator.iter_errors(WHOLE)) == []
    for wrong in (
        {"nmae": "x"},
        {"steps": [{"id": "a", "type": "nope"}]},
        {"steps": [{"id": "a", "type": "stop", "when": {"all": []}}]},
        {"steps": [{"id": "a", "type": "stop", "when": {"field": "a", "operator": "nope"}}]},
        {"trigger": {"type": "event", "event": "a", "filter": {}}},
    ):
        assert list(validator.iter_errors(wrong)) != [], wrong


def test_the_schema_given_to_one_caller_is_not_anothers() -> None:
    json_schema()["title"] = "changed"
    assert json_schema()["title"] == "Holdfast workflow definition"


def test_a_definition_without_triggers_can_be_started_by_hand() -> None:
    assert [trigger.type for trigger in Definition().all_triggers] == ["manual"]
    both = parse({"trigger": {"type": "manual"}, "triggers": [{"type": "event", "event": "a.b"}]})
    assert [trigger.type for trigger in both.all_triggers] == ["manual", "event"]


def test_every_kind_names_the_fields_its_expressions_stand_in() -> None:
    """A field that the model has and nobody checks would let a wrong name through."""
    not_evaluated = {
        "type",
        "action",
        "connection",
        "branches",
        "else_",
        "at",
        "event",
        "on_timeout",
        "item_variable",
        "concurrency",
        "max_iterations",
        "steps",
        "wait_for",
        "on_branch_error",
        "scope",
        "operation",
        "field",
        "status",
    }
    own = set(StepBase.model_fields)
    for document in [*EVERY_KIND, EVERY_KIND[1]["branches"][0]["steps"][0], EVERY_KIND[1]["else"][0]]:
        step: Step = parse_step(document)
        named = {place[0] for place, _value, _names in step.evaluated()}
        assert {*type(step).model_fields} - own - not_evaluated <= named, step.type
