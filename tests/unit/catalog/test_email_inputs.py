"""What `email.send` takes as addresses, headers and files, and what it refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.catalog.email import EmailSendInputs, parse_addresses


def read(**inputs: Any) -> EmailSendInputs:
    return EmailSendInputs.model_validate({"to": "ada@example.com", "subject": "s", "text": "t", **inputs})


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("ada@example.com", ["ada@example.com"]),
        ("  ada@example.com\n", ["ada@example.com"]),
        ("Ada <ada@example.com>, bob@example.com", ["Ada <ada@example.com>", "bob@example.com"]),
        (["a@example.com", "b@example.com,c@example.com"], ["a@example.com", "b@example.com", "c@example.com"]),
        ('"Lovelace, Ada" <ada@example.com>', ['"Lovelace, Ada" <ada@example.com>']),
        ("Dr. Ada L. <ada@example.com>", ['"Dr. Ada L." <ada@example.com>']),
        ("ada+tag@example.com", ["ada+tag@example.com"]),
        ("zoë@bücher.example", ["zoë@bücher.example"]),
        ("root@localhost", ["root@localhost"]),
    ],
)
def test_addresses_are_read_in_every_usual_form(value: Any, addresses: list[str]) -> None:
    assert read(to=value).to == addresses


@pytest.mark.parametrize(
    "value",
    [
        "",
        [],
        "ada",
        "ada@",
        "@example.com",
        "ada example.com",
        "Lovelace, Ada <ada@example.com>",
        "ada@example.com bob@example.com",
        "ada@example.com>",
        "a@b@c",
        "ada..l@example.com",
        "ada@exa mple.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada@example.com\r\nSubject: x",
        "(" * 5000,
        None,
        7,
        [["ada@example.com"]],
        {"email": "ada@example.com"},
    ],
)
def test_what_is_no_address_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        read(to=value)


def test_the_address_that_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match="not-an-address"):
        parse_addresses("ada@example.com, not-an-address")


def test_there_is_a_limit_to_recipients() -> None:
    with pytest.raises(ValidationError, match="more than the 1000"):
        read(to=[f"a{number}@example.com" for number in range(1001)])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"subject": "Hello\nBcc: eve@example.com"}, "line break"),
        ({"subject": "Hello\rBcc: eve@example.com"}, "line break"),
        ({"from_name": "Shop\r\nBcc: eve@example.com"}, "line break"),
        ({"from": "shop@example.com\nBcc: eve@example.com"}, "line break"),
        ({"from": "a@example.com, b@example.com"}, "exactly one"),
        ({"reply_to": "nobody"}, "no list of e-mail addresses"),
        ({"headers": {"X-A": "1\nBcc: eve@example.com"}}, "line break"),
        ({"headers": {"X-A\n": "1"}}, "is not a header name"),
        ({"headers": {"bcc": "eve@example.com"}}, "field of its own"),
        ({"headers": {"Message-ID": "<x@y>"}}, "field of its own"),
        ({"text": None}, "needs body (HTML) or text"),
        ({"attachments": [{"filename": "a.txt"}]}, "either content (base64) or url"),
        ({"attachments": [{"filename": "a.txt", "content": "aGk=", "url": "https://x"}]}, "either content"),
        ({"attachments": [{"content": "aGk="}]}, "needs a filename"),
        ({"attachments": [{"filename": "a.txt", "content": "not base64!"}]}, "not base64"),
        ({"attachments": [{"filename": "../a.txt", "content": "aGk="}]}, "no file name"),
        ({"attachments": [{"filename": "a\n.txt", "content": "aGk="}]}, "line break"),
        ({"attachments": [{"filename": "a", "content": "", "content_type": "text"}]}, "no media type"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**inputs)
    assert message in str(caught.value)


def test_a_subject_from_a_block_of_text_loses_its_last_line_end() -> None:
    assert read(subject="Hello\n").subject == "Hello"
