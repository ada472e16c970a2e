"""Whose submissions are counted together, and that nobody can tell from the count who it was."""

from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.definition.triggers import FormTrigger
from app.services import forms
from app.services.forms import Form

FORM = Form(
    workspace_id=UUID(int=1),
    workflow_id=UUID(int=2),
    workflow_name="W",
    position=0,
    trigger=FormTrigger(type="form", fields={}),
    form_id="f",
    open=True,
)
KEYS = (SecretStr(Fernet.generate_key().decode()),)


@pytest.mark.parametrize("keys", [(), KEYS], ids=["without a key", "with a key"])
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("testclient", "testclient", True),
        ("", "192.0.2.1", False),
    ],
)
def test_a_sender_is_an_address_or_a_network(keys: tuple[SecretStr, ...], one: str, other: str, same: bool) -> None:
    assert (forms._sender(keys, FORM, one) == forms._sender(keys, FORM, other)) == same


def test_a_page_that_was_shown_once_sends_once_unless_something_else_is_sent() -> None:
    shown = UUID(int=7)
    assert forms.one_time(shown, {"a": 1, "b": 2}) == forms.one_time(shown, {"b": 2, "a": 1})
    assert forms.one_time(shown, {"a": 1}) != forms.one_time(shown, {"a": 2})
    assert forms.one_time(UUID(int=8), {"a": 1}) != forms.one_time(shown, {"a": 1})
