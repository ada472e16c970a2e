"""The page about webhooks says what the code does: fields, signatures, refusals."""

import json
from typing import get_args

import pytest

from app.definition.base import Document
from app.definition.triggers.webhook import HmacSignature, SignatureName, WebhookTrigger
from app.services.webhook_refusals import STATUS
from tests.support.documents import quoted, table

OWN = {
    403: {"workspace_suspended"},
    404: {"webhook_not_found"},
    429: {"rate_limited"},
    503: {"database_unavailable", "too_many_deliveries"},
}
"""What is answered before a webhook is asked, or about it."""


def rows(model: type[Document]) -> list[list[str]]:
    """Field, default and description of a model."""
    found = []
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else field.get_default(call_default_factory=True)
        text = default if isinstance(default, str) else json.dumps(default)
        told = "required" if field.is_required() else "" if default in (None, "", []) else f"`{text}`"
        found.append([f"`{name}`", told, field.description or ""])
    return found


def test_the_fields_of_the_trigger_are_told_in_its_words() -> None:
    assert table("webhooks.md", "field") == rows(WebhookTrigger)[1:]


def test_the_fields_of_an_hmac_are_told_in_its_words() -> None:
    assert table("webhooks.md", "field of `signature`") == rows(HmacSignature)


@pytest.mark.parametrize(
    ("column", "known"),
    [
        ("`signature` is", set(get_args(SignatureName))),
        ("`respond` is", {"at_once", "when_finished", "by_step"}),
    ],
)
def test_every_way_is_told(column: str, known: set[str]) -> None:
    assert {name for row in table("webhooks.md", column) for name in quoted(row[0])} == known


def test_every_refusal_is_told_with_its_status() -> None:
    told = {int(row[0]): set(quoted(row[1])) for row in table("webhooks.md", "status")}
    codes: dict[int, set[str]] = {}
    for code, status in STATUS.items():
        if code != "bad_request":  # the client left before its body was complete, and sees no answer
            codes.setdefault(status, set()).add(code)
    assert told == {status: codes.get(status, set()) | OWN.get(status, set()) for status in codes | OWN}
