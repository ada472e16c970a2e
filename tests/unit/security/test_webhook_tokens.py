"""Tokens of webhooks' addresses and their secrets."""

from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from app.security import api_keys, webhook_tokens


def test_a_token_says_its_workspace_and_is_never_the_same() -> None:
    workspace = uuid4()
    one, two = (webhook_tokens.generate(workspace) for _ in range(2))
    found = webhook_tokens.read(one)
    assert found is not None
    assert (found.workspace_id, found.hash) == (workspace, webhook_tokens.digest(one))
    assert one != two
    assert api_keys.read(one) is None


@pytest.mark.parametrize("text", ["", "wh_", "wh__", "wh_a_b", "hf_a_b", "wh_ä_b", "wh_a_b_c", "x" * 5000])
def test_what_is_no_token_is_none(text: str) -> None:
    assert webhook_tokens.read(text) is None


def test_a_secret_is_one_the_library_takes() -> None:
    secret = webhook_tokens.generate_secret()
    key = webhook_tokens.key_of(secret)
    assert key is not None
    assert Webhook(secret)._whsecret == key
    assert webhook_tokens.key_of("whsec_") is None
