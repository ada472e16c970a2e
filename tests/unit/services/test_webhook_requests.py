"""Reading requests to webhooks: what is too large, or made to keep its reader busy, is told so in a moment."""

import time

import pytest

from app.services.webhook_refusals import Rejected
from app.services.webhook_requests import Arrived, data_of

LIMIT = 512 * 1024
MANY = 4 * 1024 * 1024
BUSY_SECONDS = 2.0
"""Far beyond what each takes, and far below what it took when all of it was read first."""


def arrived(content_type: str | None, body: bytes) -> Arrived:
    headers = {} if content_type is None else {"content-type": content_type}
    return Arrived(method="POST", address="", query="", headers=headers, remote_address=None, body=body)


@pytest.mark.parametrize("content_type", ["application/json", None])
@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * (MANY // 3) + b"1]",
        b"[" + b"1e308," * (MANY // 6) + b"1]",
        b'["' + b"x" * MANY + b'"]',
        b'["' + b"," * MANY + b'"]',
    ],
    ids=["lists", "numbers", "text", "commas"],
)
def test_json_that_fits_into_no_event_is_refused_in_a_moment(content_type: str | None, body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Rejected) as refused:
        data_of(arrived(content_type, body), {}, LIMIT)
    assert refused.value.code == "event_too_large"
    assert time.process_time() - began < BUSY_SECONDS


def test_json_that_is_large_for_its_spaces_alone_is_taken() -> None:
    body = b'{"a": ' + b" " * MANY + b'"\\u00e4, b"}'
    assert data_of(arrived("application/json", body), {}, LIMIT)["body"] == {"a": "ä, b"}


def test_a_content_type_without_end_is_read_in_a_moment() -> None:
    began = time.process_time()
    data = data_of(arrived("text/plain" + ';"' * 500_000, b"x"), {}, LIMIT * 4)
    assert data["body"] == "x"
    assert time.process_time() - began < BUSY_SECONDS
