"""What an approval asks for before it can be published."""

import pytest

from app.json import Json, JsonObject
from tests.support.checking import found, shows


def asks(**fields: Json) -> JsonObject:
    return {"id": "a", "type": "approval", "title": "Ship it?", **fields}


def form(**fields: Json) -> JsonObject:
    return {"form": {"type": "object", "properties": fields}}


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        (asks(on_timeout="fail"), ".on_timeout", "on_timeout is fail, and there is no timeout"),
        (asks(approvers=["a", " "]), ".approvers[1]", "an approver is empty"),
        (asks(title="{{ zz }}"), ".title", "unknown name 'zz'"),
        (asks(message="{{ zz }}"), ".message", "unknown name 'zz'"),
        (asks(approvers=["{{ zz }}"]), ".approvers[0]", "unknown name 'zz'"),
        (asks(form={"type": "string"}), ".form.type", "the form is not that of an object"),
        (asks(form={"type": "object"}), ".form.properties", "the form has no fields"),
        (asks(**form(n={"type": "nope"})), ".form.properties.n.type", "no JSON Schema"),
        (asks(**form(n={"pattern": "(?=a)"})), ".form.properties.n.pattern", ""),
        (
            asks(**form(n={"type": "object", "unevaluatedProperties": False})),
            ".form.properties.n.unevaluatedProperties",
            "unevaluatedProperties is not supported",
        ),
        (asks(form={"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}), ".form.required[1]", "'b'"),
        (
            asks(form={"type": "object", "properties": {"a": {}}, "anyOf": [{}]}),
            ".form.anyOf",
            "the page does not show",
        ),
        (asks(notify=[shows("b", "{{ approval.nope }}")]), ".notify[0].mapping.x", "approval has no 'nope'"),
        (asks(title="{{ approval.link }}"), ".title", "unknown name 'approval'"),
    ],
)
def test_what_an_approval_must_not_be(step: JsonObject, path: str, message: str) -> None:
    told = found(step)
    assert any(where == f"steps[0]{path}" and message in what for where, what in told), told


@pytest.mark.parametrize(
    "step",
    [
        asks(),
        asks(approvers="{{ trigger.who }}", timeout="3d", on_timeout="fail", on_reject="fail"),
        asks(**form(unevaluatedItems={"type": "string"}, n={"type": "integer", "default": 3})),
        asks(notify=[shows("b", "{{ approval.link }} {{ approval.links[0].approver }} {{ approval.until }}")]),
    ],
)
def test_what_an_approval_may_be(step: JsonObject) -> None:
    assert found(step) == []


def test_steps_of_notify_are_seen_afterwards_and_see_not_the_answer() -> None:
    tell = shows("b", "{{ steps.a.output }}")
    assert any("cannot have run by then" in what for _, what in found(asks(notify=[tell])))
    assert found(asks(notify=[shows("b", 1)]), shows("c", "{{ steps.b.output }} {{ steps.a.output.by }}")) == []
