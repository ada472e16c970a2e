"""Message triggers: what goes with which channel, and the connection that messages come in over."""

from collections.abc import Mapping

import pytest

from app.definition.check import check
from app.definition.parse import parse
from app.json import Json, JsonObject
from tests.support.checking import shows

CONNECTIONS = {"line": "twilio", "wa": "whatsapp", "our-page": "messenger", "parse": "sendgrid", "mail": "imap"}
RESPOND: JsonObject = {"id": "answer", "type": "respond", "body": "Thanks"}


def problems(
    trigger: JsonObject, *steps: JsonObject, connections: Mapping[str, str] | None = CONNECTIONS
) -> list[tuple[str, str, str]]:
    definition = parse({"trigger": {"type": "message", **trigger}, "steps": list(steps or (shows("a", 1), RESPOND))})
    found = check(definition, actions={}, connections=connections)
    return [(each.path, each.message, each.severity) for each in found]


@pytest.mark.parametrize(
    "trigger",
    [
        {"channel": "sms"},
        {"channel": "sms", "connection": "line", "respond": "by_step", "timeout": "10s"},
        {"channel": "whatsapp", "connection": "wa", "conversation": True, "filter": {"message_text": "start"}},
        {"channel": "whatsapp", "respond": "by_step", "connection": "line"},
        {"channel": "messenger", "connection": "our-page"},
        {"channel": "email", "connection": "parse"},
        {"channel": "email", "connection": "mail", "filter": "{{ data.email_subject == 'x' }}"},
        {"channel": "voice", "connection": "line", "greeting": "Hi", "language": "de-AT", "max_seconds": 600},
    ],
)
def test_a_trigger_that_is_fine(trigger: JsonObject) -> None:
    assert problems(trigger) == []


@pytest.mark.parametrize(
    ("trigger", "path", "message"),
    [
        ({"channel": "sms", "connection": "lime"}, "trigger.connection", "there is no connection 'lime'"),
        ({"channel": "sms", "connection": "{{ vars.x }}"}, "trigger.connection", "not by an expression"),
        (
            {"channel": "sms", "connection": "wa"},
            "trigger.connection",
            "no messages of channel sms come in over 'wa', of kind whatsapp",
        ),
        (
            {"channel": "whatsapp", "connection": "wa", "respond": "by_step"},
            "trigger.connection",
            "no messages of channel whatsapp that are answered by a step come in over 'wa', of kind whatsapp",
        ),
        ({"channel": "email", "respond": "by_step"}, "trigger.respond", "nothing of channel email is answered"),
        ({"channel": "voice", "respond": "by_step"}, "trigger.respond", "nothing of channel voice is answered"),
        ({"channel": "sms", "timeout": "5s"}, "trigger.timeout", "nothing is waited for"),
        ({"channel": "sms", "respond": "by_step", "timeout": "11s"}, "trigger.timeout", "not between 0 and 10 seconds"),
        ({"channel": "sms", "respond": "by_step", "timeout": "0s"}, "trigger.timeout", "not between 0 and 10 seconds"),
        ({"channel": "sms", "respond": "by_step", "timeout": "{{ vars.t }}"}, "trigger.timeout", "no run is there"),
        ({"channel": "sms", "greeting": "Hi"}, "trigger.greeting", "greeting is for calls, and the channel is sms"),
        ({"channel": "email", "language": "de"}, "trigger.language", "language is for calls"),
        ({"channel": "email", "max_seconds": 5}, "trigger.max_seconds", "max_seconds is for calls"),
        ({"channel": "sms", "filter": "{{ trigger.x == 1 }}"}, "trigger.filter", "unknown name 'trigger'"),
    ],
)
def test_a_trigger_that_is_not(trigger: JsonObject, path: str, message: str) -> None:
    [(where, what, severity)] = problems(trigger)
    assert (where, severity) == (path, "error")
    assert message in what


def test_an_answer_by_a_step_that_is_not_there_is_warned_of() -> None:
    assert problems({"channel": "sms", "respond": "by_step"}, shows("a", 1)) == [
        ("trigger.respond", "no step answers: respond is by_step", "warning")
    ]


def test_connections_are_not_judged_where_they_are_not_known() -> None:
    assert problems({"channel": "sms", "connection": "lime"}, connections=None) == []


def test_each_of_several_triggers_is_judged() -> None:
    trigger: Json = {"type": "message", "channel": "sms", "connection": "lime"}
    definition = parse({"triggers": [{"type": "manual"}, trigger], "steps": [shows("a", 1)]})
    [found] = check(definition, actions={}, connections=CONNECTIONS)
    assert (found.path, "line" in (found.hint or "")) == ("triggers[1].connection", True)
