"""What is kept of a step's inputs: enough to see what was asked for, and no secret."""

from typing import Any

import pytest

from activities import email, http, webhook  # noqa: F401  (importing registers their actions)
from activities.base import REGISTERED
from app.json import JsonObject


def mask(action: str, inputs: JsonObject) -> JsonObject:
    return REGISTERED[action].mask(inputs)


def test_credentials_of_a_request_are_hidden_and_the_rest_is_kept() -> None:
    inputs = {
        "url": "https://ada:pass-word@api.example.com/x?page=2&api_key=url-key#part",
        "method": "POST",
        "headers": {"authorization": "Bearer h1", "X-Api-Key": "h2", "Cookie": "h3", "Accept": "text/csv"},
        "query": {"token": "q1", "page": 2, "key": ["q2"]},
        "auth": {"type": "basic", "username": "ada", "password": "p1"},
        "json": {"client_secret": "j1", "name": "Ada", "deep": [{"password": "j2", "n": 1}]},
        "success_status": [200],
    }
    before = str(inputs)
    masked = mask("http.request", inputs)
    assert masked == {
        "url": "https://ada:***@api.example.com/x?page=2&api_key=***#part",
        "method": "POST",
        "headers": {"authorization": "***", "X-Api-Key": "***", "Cookie": "***", "Accept": "text/csv"},
        "query": {"token": "***", "page": 2, "key": "***"},
        "auth": {"type": "basic", "username": "ada", "password": "***"},
        "json": {"client_secret": "***", "name": "Ada", "deep": [{"password": "***", "n": 1}]},
        "success_status": [200],
    }
    assert str(inputs) == before


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ({"type": "bearer", "token": "t"}, {"type": "bearer", "token": "***"}),
        (
            {"type": "api_key", "name": "X-K", "value": "v", "in": "query"},
            {"type": "api_key", "name": "X-K", "value": "***", "in": "query"},
        ),
        ({"type": "none"}, {"type": "none"}),
        (None, None),
        ("a secret where an object should be", "***"),
    ],
)
def test_auth_shows_its_kind_and_no_more(auth: Any, shown: Any) -> None:
    assert mask("http.request", {"auth": auth})["auth"] == shown


@pytest.mark.parametrize("action", ["http.request", "webhook.send", "email.send"])
@pytest.mark.parametrize("odd", [None, 7, "text", ["a", {"password": 1}], {"headers": None}, {"url": "http://[::1"}])
def test_inputs_of_any_shape_can_be_masked(action: str, odd: Any) -> None:
    for name in ("headers", "query", "json", "form", "auth", "url", "attachments", "body"):
        mask(action, {name: odd})


@pytest.mark.parametrize("name", ["passphrase", "encryption_key", "PrivateKey", "accessKey", "x-auth-user", "sig"])
def test_a_name_that_tells_in_a_line_of_the_log_tells_here_as_well(name: str) -> None:
    assert mask("http.request", {"json": [{name: "hunter2"}]}) == {"json": [{name: "***"}]}


def test_an_idempotency_key_is_no_secret() -> None:
    inputs = {"headers": {"Idempotency-Key": "order-7"}}
    assert mask("http.request", inputs) == inputs


def test_attachments_are_kept_by_name_and_size() -> None:
    inputs = {
        "to": "ada@example.com",
        "attachments": [
            {"filename": "a.txt", "content": "aGVsbG8gd29ybGQh"},
            {"url": "https://x.example/a.pdf?signature=s1"},
            "odd",
        ],
    }
    assert mask("email.send", inputs) == {
        "to": "ada@example.com",
        "attachments": [
            {"filename": "a.txt", "content": "(12 bytes)"},
            {"url": "https://x.example/a.pdf?signature=***"},
            "odd",
        ],
    }
