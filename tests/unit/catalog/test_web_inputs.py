"""What `http.request` and `webhook.send` take, and what they refuse with which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.catalog.web import HttpRequestInputs, WebhookSendInputs, status_ranges

URL = "https://api.example.com/x"


def read(**inputs: Any) -> HttpRequestInputs:
    return HttpRequestInputs.model_validate({"url": URL, **inputs})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"method": "BREW"}, "GET"),
        ({"url": ""}, "at least 1 character"),
        ({"headers": {"X-Bad\r\nHost": "1"}}, "is not a header name"),
        ({"headers": {"X-Bad": "1\r\nHost: evil"}}, "line break"),
        ({"headers": {"X-Bad": "1\x00"}}, "control character"),
        ({"headers": {"Bad Name": "1"}}, "is not a header name"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "set by Holdfast"),
        ({"headers": {"content-length": 0}}, "set by Holdfast"),
        ({"json": {}, "form": {}}, "json and form"),
        ({"json": None, "body": "x"}, "json and body"),
        ({"method": "HEAD", "body": "x"}, "HEAD request carries no body"),
        ({"body": "x", "content_type": "text/plain\r\nX: 1"}, "line break"),
        ({"auth": {"type": "basic", "username": "a:b"}}, "colon"),
        ({"auth": {"type": "bearer"}}, "Field required"),
        ({"auth": {"type": "bearer", "token": "two words"}}, "pattern"),
        ({"auth": {"type": "api_key", "value": "a\nb"}}, "line break"),
        ({"auth": {"type": "digest"}}, "'none', 'basic', 'bearer', 'api_key'"),
        ({"auth": {"username": "ada"}}, "type"),
        ({"success_status": "ok"}, "is no status"),
        ({"success_status": "299-200"}, "ends before it begins"),
        ({"success_status": [200, 999]}, "is no status"),
        ({"response_mapping": {"id": "data.id"}}, "must start with status_code, headers or body"),
        ({"response_mapping": {"id": "body..id"}}, "no path"),
        ({"max_response_bytes": 0}, "greater than or equal to 1"),
        ({"timeout": "soon"}, "no duration"),
        ({"timeout": 5}, "no unit"),
        ({"query": {"a": {"b": 1}}}, "query"),
        ({"follow": True}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**inputs)
    assert message in str(caught.value)


def test_expressions_stand_where_texts_do() -> None:
    given = read(url="{{ vars.url }}", headers={"X-Id": "{{ trigger.id }}"}, timeout="{{ vars.limit }}")
    assert given.url == "{{ vars.url }}"


def test_null_is_a_json_body_and_absence_is_none() -> None:
    assert read(json=None).bodies()["json"]
    assert not read().bodies()["json"]


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        (201, [range(201, 202)]),
        ("2xx", [range(200, 300)]),
        ("200-204", [range(200, 205)]),
        ("2xx, 404", [range(200, 300), range(404, 405)]),
        ([200, "4XX"], [range(200, 201), range(400, 500)]),
    ],
)
def test_success_status_is_read_as_ranges(value: Any, ranges: list[range]) -> None:
    assert status_ranges(value) == ranges


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"url": "hooks.example.com"}, "not an absolute URL"),
        ({"method": "HEAD"}, "'GET', 'POST'"),
        ({"headers": {"Webhook-Signature": "v1,x"}}, "set by Holdfast"),
        ({"timeout_ms": 0}, "greater than or equal to 1"),
    ],
)
def test_a_webhook_that_does_not_fit_is_refused(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookSendInputs.model_validate({"url": "https://hooks.example.com", **inputs})
    assert message in str(caught.value)


def test_secrets_do_not_show_in_a_representation() -> None:
    given = read(auth={"type": "basic", "username": "ada", "password": "hunter2"})
    assert "hunter2" not in repr(given)
