"""Errors of the language: what they cost when nobody reads them, and what they say when somebody does."""

import pytest

from app.definition import evaluator, expressions
from app.definition.errors import MissingError
from app.json import JsonObject

CONTACT: JsonObject = {"contact": {"email": "ada@example.com", "first_name": "Ada"}}


@pytest.mark.parametrize(
    "template",
    ["{{ contact.emial | default('none') }}", "{{ nobody | default('none') }}", "{{ contact.emial is defined }}"],
)
def test_a_miss_that_is_caught_looks_for_no_similar_name(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object, **__: object) -> str:
        raise AssertionError("looked for a similar name")

    monkeypatch.setattr(evaluator, "suggestion", looked)
    assert expressions.evaluate(template, CONTACT) in ("none", False)


def test_a_miss_that_is_not_caught_names_the_similar_one() -> None:
    with pytest.raises(MissingError) as raised:
        expressions.evaluate("{{ contact.emial }}", CONTACT)
    assert raised.value.hint == "did you mean 'email'?"
    assert "did you mean 'email'?" in str(raised.value)
