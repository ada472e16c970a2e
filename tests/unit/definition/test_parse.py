"""Documents to definitions and back: the canonical form, digests and the schema."""

import json

from jsonschema import Draft202012Validator

from app.definition.error_types import STEP_ERRORS, ErrorType
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
        "retry": {
            "max_attempts": 5,
            "initial_interval": "2s",
            "backoff": 3,
            "max_interval": "5m",
            "retry_on": ["rate_limited", "provider_rejected"],
        },
        "timeout": "30s",
        "on_error": "continue",
        "when": "{{ trigger.go }}",
        "name": "Call it",
        "enabled": False,
        "compensate": [{"id": "take_back", "type": "transform", "mapping": {"a": "{{ steps.call.output }}"}}],
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
        "id": "sign_off",
        "type": "approval",
        "title": "Ship it?",
        "approvers": ["ada@example.com"],
        "form": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "timeout": "3d",
        "on_reject": "fail",
        "notify": [{"id": "tell", "type": "transform", "mapping": {"link": "{{ approval.link }}"}}],
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
        "id": "poll",
        "type": "repeat",
        "until": {"field": "steps.look.output.done", "operator": "equals", "value": True},
        "max_iterations": 50,
        "on_exhausted": "continue",
        "interval": "10m",
        "on_error": "hold",
        "steps": [{"id": "look", "type": "transform", "mapping": {"done": True}}],
    },
    {
        "id": "drain",
        "type": "repeat",
        "while": "{{ loop.index < 3 }}",
        "steps": [{"id": "one", "type": "transform", "mapping": {"n": "{{ loop.number }}"}}],
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
    {"id": "other", "type": "run_workflow", "workflow": "credit-check", "inputs": {"n": 1}, "wait": False},
    {"id": "answer", "type": "respond", "status": 201, "headers": {"X-Order": "7"}, "body": {"ok": True}},
]

WHOLE: JsonObject = {
    "name": "All of it",
    "trigger": {"type": "event", "event": "crm.deal.won", "filter": {"total": {"$gt": 5}}},
    "settings": {"timeout": "30d", "on_failure": "hold", "dispatch": "scheduled"},
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
        {"settings": {"on_failure": "wait"}},
        {"steps": [{"id": "a", "type": "stop", "on_error": "wait"}]},
        {"steps": [{"id": "a", "type": "stop", "compensate": {}}]},
        {"steps": [{"id": "a", "type": "stop", "retry": {"retry_on": ["nope"]}}]},
        {"steps": [{"id": "a", "type": "stop", "retry": {"retry_on": []}}]},
        {"steps": [{"id": "a", "type": "repeat", "untill": True, "steps": []}]},
    ):
        assert list(validator.iter_errors(wrong)) != [], wrong


def test_the_schema_says_in_words_what_each_field_of_the_new_kinds_is_for() -> None:
    schema = json_schema()
    for kind, fields in {
        "RepeatStep": ("until", "while", "max_iterations", "on_exhausted", "interval", "steps"),
        "ActionStep": ("on_error", "compensate", "retry", "timeout"),
        "Retry": ("max_attempts", "initial_interval", "backoff", "max_interval", "jitter", "retry_on"),
        "Settings": ("timeout", "on_failure", "dispatch"),
    }.items():
        properties = schema["$defs"][kind]["properties"]
        assert [field for field in fields if not properties[field].get("description")] == [], kind
    assert schema["$defs"]["StepError"]["enum"] == [each.value for each in STEP_ERRORS]


def test_the_error_types_to_retry_on_are_plain_texts() -> None:
    retry = parse_step(EVERY_KIND[0]).retry
    assert retry is not None
    assert [type(each) for each in retry.retry_on or ()] == [str, str]
    assert [ErrorType(each).retryable for each in retry.retry_on or ()] == [True, False]


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
        "else",
        "at",
        "event",
        "on_timeout",
        "on_reject",
        "form",
        "notify",
        "wait",
        "item_variable",
        "concurrency",
        "max_iterations",
        "on_exhausted",
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
        fields = {field.alias or name for name, field in type(step).model_fields.items() if name not in own}
        assert fields - not_evaluated <= named, step.type
