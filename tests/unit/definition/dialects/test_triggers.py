"""Triggers of other systems: each becomes one of ours that publishing takes, or is refused with the way out."""

import pytest

from app.json import Json, JsonObject
from tests.support.dialects import canonical, errors, note, published, read

FIELDS: JsonObject = {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}}


def flat(kind: str, **config: Json) -> JsonObject:
    return {"name": "N", "trigger_type": kind, "trigger_config": config, "steps": [note("a")]}


def linked(kind: str, *steps: JsonObject, **config: Json) -> JsonObject:
    start = {
        "stepId": "start", "stepType": "trigger", "config": {"triggerType": kind, **config},
        "nextStepId": steps[0]["stepId"] if steps else "end",
    }  # fmt: skip
    end = {"stepId": "end", "stepType": "action", "config": {"actionType": "set_variable", "key": "k", "value": 1}}
    return {"name": "N", "steps": [start, *(steps or (end,))]}


@pytest.mark.parametrize(
    ("kind", "config", "trigger"),
    [
        ("manual", {}, {"type": "manual"}),
        (
            "schedule",
            {"cron_expression": "0 9 * * 1", "timezone": "Europe/Vienna", "max_consecutive_failures": 3,
             "consecutive_failures": 0, "last_run_at": None, "is_active": True},
            {"type": "schedule", "cron": "0 9 * * 1", "timezone": "Europe/Vienna", "max_failures": 3},
        ),
        (
            "schedule",
            {"cronExpression": "@daily", "maxConsecutiveFailures": 2},
            {"type": "schedule", "cron": "@daily", "max_failures": 2},
        ),
        (
            "webhook",
            {"allowed_methods": ["post", "Put"], "allowed_ips": ["10.0.0.0/8"], "endpoint_path": "x", "total_calls": 0},
            {"type": "webhook", "methods": ["POST", "PUT"], "allowed_ips": ["10.0.0.0/8"]},
        ),
        ("webhook", {"allowed_ips": None}, {"type": "webhook"}),
        (
            "form_submission",
            {"form_id": "contact"},
            {
                "type": "event",
                "event": "form.submission.received",
                "filter": {"field": "data.form_id", "operator": "equals", "value": "contact"},
            },
        ),
        ("form_submission", {}, {"type": "event", "event": "form.submission.received"}),
        (
            "form_submission",
            {"form_id": "contact", "fields": FIELDS, "submitLabel": "Go"},
            {"type": "form", "form_id": "contact", "fields": FIELDS, "submit_label": "Go", "order": ["email"]},
        ),
        (
            "event",
            {"event_type": "form.submission.received", "form_id": "contact"},
            {
                "type": "event",
                "event": "form.submission.received",
                "filter": {"field": "data.form_id", "operator": "equals", "value": "contact"},
            },
        ),
        (
            "event",
            {"event_type": "crm.deal.won", "source_module": "crm", "filter": {"value": {"$gte": 5}}},
            {"type": "event", "event": "crm.deal.won", "source": "crm", "filter": {"value": {"$gte": 5}}},
        ),
        ("whatsapp", {}, {"type": "message", "channel": "whatsapp"}),
        (
            "sms",
            {"operator": "or", "connection": "twilio",
             "conditions": [{"field": "{{message_text}}", "operator": "contains", "value": "STOP"},
                            {"field": "trigger.phone_number", "operator": "begins_with", "value": "+43"}]},
            {
                "type": "message",
                "channel": "sms",
                "connection": "twilio",
                "filter": {"any": [
                    {"field": "data.message_text", "operator": "contains", "value": "STOP"},
                    {"field": "data.phone_number", "operator": "starts_with", "value": "+43"},
                ]},
            },
        ),
        (
            "email",
            {"filter": {"email_from": "a@example.com"}, "conversation": True},
            {"type": "message", "channel": "email", "filter": {"email_from": "a@example.com"}, "conversation": True},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_each_trigger_is_one_of_ours_in_flat_and_in_linked_documents(
    kind: str, config: JsonObject, trigger: JsonObject
) -> None:
    for document in (flat(kind, **config), linked(kind, **config)):
        assert canonical(document)["trigger"] == trigger
        if "connection" not in config:
            assert published(document)["trigger"] == trigger


@pytest.mark.parametrize(
    ("config", "key", "message"),
    [
        ({"secret_key": "s"}, "secret_key", "a secret has no place in a definition"),
        ({"is_active": False}, "is_active", "a trigger cannot rest by itself"),
        ({"allowed_methods": ["BREW"]}, "allowed_methods[0]", ""),
        ({"alowed_ips": []}, "alowed_ips", "unknown key"),
        ({"allowed_ips": ["here"]}, "allowed_ips[0]", "'here' is no address or network"),
    ],
    ids=str,
)
def test_what_a_trigger_cannot_say_is_refused_at_its_place(config: JsonObject, key: str, message: str) -> None:
    [(path, told)] = errors(flat("webhook", **config))
    assert path == f"trigger_config.{key}"
    assert message in told


def test_the_secret_of_a_webhook_is_told_to_live_with_its_address() -> None:
    [problem] = read(flat("webhook", secret_key="s")).errors
    assert "/webhooks" in problem.hint


def test_a_form_is_named_in_one_way_alone() -> None:
    [(path, _)] = errors(flat("form_submission", form_id="a", filter={"form_id": "b"}))
    assert path == "trigger_config.filter"


def test_once_per_event_holds_for_everything_that_comes_in() -> None:
    for kind, config in (("webhook", {}), ("whatsapp", {}), ("form_submission", {"fields": FIELDS})):
        assert canonical({**flat(kind, **config), "run_once": True})["settings"] == {"run_once_per": "{{ event.id }}"}
    [(path, _)] = errors({**flat("schedule", cron_expression="@daily"), "run_once": True})
    assert path == "run_once"


def test_what_was_filled_in_is_found_by_its_name() -> None:
    steps = [note("a", action_config={"key": "a", "value": "{{trigger.fields.email}}"})]
    by_event = canonical({**flat("form_submission", form_id="f"), "steps": steps})
    by_form = canonical({**flat("form_submission", fields=FIELDS), "steps": steps})
    assert [made["steps"][0]["variables"]["a"] for made in (by_event, by_form)] == [
        "{{ trigger.fields.email }}",
        "{{ trigger.email }}",
    ]
    step = {
        "stepId": "s", "stepType": "action", "nextStepId": None,
        "config": {"actionType": "set_variable", "key": "a", "value": "{{email}} {{form_id}}"},
    }  # fmt: skip
    by_event, by_form = (
        canonical(linked("form_submission", step)),
        canonical(linked("form_submission", step, fields=FIELDS)),
    )
    assert [made["steps"][0]["variables"]["a"] for made in (by_event, by_form)] == [
        "{{ trigger.fields.email }} {{ trigger.form_id }}",
        "{{ trigger.email }} {{ trigger.form_id }}",
    ]


@pytest.mark.parametrize(
    ("config", "kept"), [({}, "trigger.fields.email"), ({"fields": FIELDS}, "trigger.email")], ids=["event", "form"]
)
def test_actions_in_a_row_find_what_was_filled_in(config: JsonObject, kept: str) -> None:
    actions = [{"action_type": "set_variable", "action_config": {"key": "a", "value": "{{email}} {{form_id}}"}}]
    made = canonical({"trigger_type": "form_submission", "trigger_config": config, "actions": actions})
    assert made["steps"][0]["variables"]["a"] == f"{{{{ {kept} }}}} {{{{ trigger.form_id }}}}"


@pytest.mark.parametrize(
    ("channel", "action", "who"),
    [
        ("whatsapp", "send_whatsapp", "trigger.phone_number"),
        ("sms", "send_whatsapp", "trigger.phone_number"),
        ("voice", "send_whatsapp", "trigger.caller_number"),
        ("messenger", "send_whatsapp", "event.subject"),
        ("email", "send_email", "trigger.email_from"),
        ("manual", "send_whatsapp", "trigger.phone_number"),
    ],
)
def test_an_answer_goes_to_whom_the_event_says(channel: str, action: str, who: str) -> None:
    step = {
        "stepId": "s", "stepType": "action", "nextStepId": None,
        "config": {"actionType": action, "recipient": "trigger", "messageTemplate": "Hi"},
    }  # fmt: skip
    made = read(linked(channel, step)).document
    assert made["steps"][0]["inputs"]["to"] == f"{{{{ {who} }}}}"
