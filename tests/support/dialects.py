"""Documents as users of other systems bring them, one for each dialect, and how the tests read them."""

from typing import Any

from app.catalog.registry import LOOKUP
from app.definition import dialects
from app.definition.check import check
from app.definition.parse import dump, parse
from app.definition.problems import DefinitionInvalid
from app.json import Json, JsonObject

CONNECTIONS = {"smtp-main": "smtp", "helpdesk": "http", "shop-hook": "webhook"}


def read(document: Json) -> dialects.Reading:
    """The document as some dialect's."""
    reading = dialects.read(document)
    assert reading is not None, "the document is in no dialect"
    return reading


def canonical(document: Json) -> JsonObject:
    """The canonical form of a document nothing is wrong with."""
    reading = read(document)
    assert [problem.as_json() for problem in reading.errors] == []
    return dump(parse(reading.document))


def published(document: Json) -> JsonObject:
    """As `canonical`, of a document that publishing finds nothing wrong with."""
    made = canonical(document)
    problems = check(parse(made), actions=LOOKUP, connections=CONNECTIONS)
    assert [problem.as_json() for problem in problems] == []
    return made


def errors(document: Json) -> list[tuple[str, str]]:
    """Path and message of each error, of reading it, else of what was read; at the places of the document."""
    reading = read(document)
    if reading.errors:
        return [(problem.path, problem.message) for problem in reading.errors]
    try:
        problems = check(parse(reading.document), actions=LOOKUP, connections=CONNECTIONS)
    except DefinitionInvalid as error:
        problems = error.problems
    return [(problem.path, problem.message) for problem in reading.told(problems)]


def step(body: JsonObject, dialect: str = "flat") -> JsonObject:
    """The canonical step of one step of a dialect."""
    whole = {"flat": {"steps": [body]}, "actions": {"actions": [body]}}[dialect]
    [made] = canonical(whole)["steps"]
    return dict(made)


NOTE: JsonObject = {"step_type": "set_variable", "action_config": {"key": "a", "value": 1}}


def note(own: str, **more: Any) -> JsonObject:
    return {"id": own, **NOTE, **more}


def condition(own: str, **config: Any) -> JsonObject:
    comparison = {"field": "{{trigger.n}}", "operator": "gte", "value": 5}
    return {"id": own, "step_type": "condition", "condition_config": {"conditions": [comparison], **config}}


FLAT: JsonObject = {
    "id": "0d6f2d5e-3f0a-4f8e-9f5c-0b7b1f1a2c3d",
    "site_id": "6c1f2d5e-3f0a-4f8e-9f5c-0b7b1f1a2c3d",
    "name": "Large orders",
    "slug": "large-orders",
    "trigger_type": "event",
    "trigger_config": {
        "event_type": "ecommerce.order.created",
        "filter": {"status": "paid", "total": {"$gte": 100}},
    },
    "timeout_seconds": 300,
    "retry_on_failure": True,
    "max_retries": 2,
    "variables": [{"key": "threshold", "value": 500, "value_type": "number", "is_secret": False}],
    "is_active": True,
    "steps": [
        {
            "id": "5b0a6a1e-0000-4000-8000-000000000003",
            "position": 30,
            "step_type": "action",
            "action_type": "webhook.send",
            "action_config": {
                "url": "{{trigger.url}}/large",
                "method": "POST",
                "body": {"customer": "{{steps.customerRecord.response_body.name}}", "run": "{{execution.id}}"},
            },
            "condition_config": {},
            "delay_config": {},
            "on_error": "continue",
        },
        {
            "id": "5b0a6a1e-0000-4000-8000-000000000001",
            "position": 10,
            "step_type": "action",
            "action_type": "webhook.send",
            "input_mapping": {"body": {"id": "{{trigger.customer_id}}"}},
            "action_config": {"url": "{{trigger.url}}/customer", "method": "POST"},
            "output_key": "customerRecord",
            "name": "Look the customer up",
        },
        {
            "id": "5b0a6a1e-0000-4000-8000-000000000002",
            "position": 20,
            "step_type": "condition",
            "condition_config": {
                "operator": "and",
                "conditions": [
                    {"field": "{{trigger.total}}", "operator": "gt", "value": "{{variables.threshold}}"},
                    {"field": "steps.customerRecord.success", "op": "eq", "value": True},
                ],
            },
        },
    ],
}

LINKED: JsonObject = {
    "_id": "65f0c2a1b2c3d4e5f6a7b8c9",
    "orgId": "acme",
    "name": "Route a message",
    "steps": [
        {"stepId": "start", "stepType": "trigger", "config": {"triggerType": "manual"}, "nextStepId": "score"},
        {
            "stepId": "score",
            "stepType": "utility",
            "config": {"utilityType": "api_call", "method": "GET", "url": "{{base}}/score", "query": {"t": "{{text}}"}},
            "nextStepId": "Is It Angry?",
        },
        {
            "stepId": "Is It Angry?",
            "stepType": "utility",
            "config": {"utilityType": "condition", "field": "{{response}}", "operator": "is_set"},
            "nextStepId": {"true": "calm-down", "false": "thank"},
        },
        {
            "stepId": "calm-down",
            "stepType": "action",
            "config": {"actionType": "webhook_call", "url": "{{base}}/calm", "body": {"text": "{{text}}"}},
            "nextStepId": "archive",
        },
        {
            "stepId": "thank",
            "stepType": "action",
            "config": {"actionType": "webhook_call", "url": "{{base}}/thanks", "body": {"code": "{{status_code}}"}},
            "nextStepId": "archive",
        },
        {
            "stepId": "archive",
            "stepType": "action",
            "config": {"actionType": "webhook_call", "url": "{{base}}/archive", "body": {"ok": "{{success}}"}},
            "nextStepId": None,
        },
    ],
}

ACTIONS: JsonObject = {
    "name": "Welcome",
    "trigger_type": "manual",
    "actions": [
        {
            "id": "9a8b7c6d-0000-4000-8000-000000000002",
            "action_type": "webhook_call",
            "action_config": {
                "url": "{{contact.hook}}/hello",
                "body": {"name": "{{contact.first_name}}", "city": "{{contact.custom_fields.city}}"},
            },
            "position": 1,
            "previous_action_id": "9a8b7c6d-0000-4000-8000-000000000001",
            "next_action_id": None,
            "is_enabled": True,
        },
        {
            "id": "9a8b7c6d-0000-4000-8000-000000000001",
            "action_type": "wait_time",
            "action_config": {"duration": 20, "unit": "milliseconds"},
            "position": 0,
            "previous_action_id": None,
            "next_action_id": "9a8b7c6d-0000-4000-8000-000000000002",
        },
    ],
}

WIZARD: JsonObject = {
    "id": "11111111-0000-4000-8000-000000000001",
    "wizard_id": "11111111-0000-4000-8000-000000000002",
    "event_name": "Postcode chosen",
    "event_trigger": "option.onSelect",
    "target_type": "option",
    "target_id": "11111111-0000-4000-8000-000000000003",
    "is_enabled": True,
    "conditions": [
        {"field_id": "country", "operator": "equals", "value": "NL", "logic": "AND"},
        {"field_id": "postcode", "operator": "is_not_empty", "value": None, "logic": "AND"},
    ],
    "error_handling": {"on_error": "continue", "retry_count": 1, "retry_delay_ms": 10, "show_error_to_user": True},
    "actions": [
        {
            "id": "22222222-0000-4000-8000-000000000002",
            "action_name": "Store the address",
            "action_type": "api_call",
            "execution_order": 2,
            "config": {
                "method": "POST",
                "url": "{{base}}/store",
                "body": {"city": "{{found.body.city}}", "n": "{{no}}"},
            },
            "input_mapping": {
                "base": {"source": "event_data", "field": "base"},
                "found": {"source": "action_output", "action_id": "22222222-0000-4000-8000-000000000001"},
                "no": {"source": "static", "value": 7},
            },
            "on_error": "stop",
            "retry_count": 0,
        },
        {
            "id": "22222222-0000-4000-8000-000000000001",
            "action_name": "Find the address",
            "action_type": "api_call",
            "execution_order": 1,
            "is_async": True,
            "config": {
                "method": "GET",
                "url": "{{base}}/find",
                "timeout_ms": 2000,
                "query": {"postcode": "{{code}}"},
                "response_mapping": {"city": "data.city"},
            },
            "input_mapping": {
                "base": {"source": "context", "field": "base"},
                "code": {"source": "option_set", "field_id": "postcode"},
            },
            "output_handling": {"display_type": "table", "config": {"columns": ["city"]}},
            "on_error": "retry",
            "retry_count": 2,
            "loading_message": "Looking",
        },
    ],
}

DOCUMENTS: dict[str, JsonObject] = {"flat": FLAT, "linked": LINKED, "actions": ACTIONS, "wizard": WIZARD}
