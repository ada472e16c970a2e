"""The message as bytes: what mail programs read from it, and that nothing a user gives adds a header."""

import email
import email.policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.email_message import File, build_message, envelope_of, message_id, sender_of
from app.catalog.email import EmailSendInputs
from tests.support.invocations import KEY, STARTED_AT


def written(**inputs: Any) -> bytes:
    given = EmailSendInputs.model_validate({"to": "ada@example.com", "subject": "s", "text": "t", **inputs})
    sender = sender_of(given, "Shop <shop@example.com>")
    files = [File(each.filename or "f", each.content_type, b"content") for each in given.attachments]
    international = envelope_of(given, sender).international
    return build_message(
        given, sender=sender, key=KEY, date=STARTED_AT, files=files, international=international
    ).as_bytes()


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize(
    "inputs",
    [
        {"subject": "=?utf-8?q?a=0D=0ABcc:_eve@example.com?="},
        {"subject": "=?utf-8?q?a=0ABcc:_eve@example.com?= " + "ü" * 100},
        {"headers": {"X-Name": "=?utf-8?q?a=0D=0ABcc:_eve@example.com?="}},
        {"attachments": [{"filename": "=?utf-8?q?a=0D=0ABcc:_eve@example.com?=", "content": "aGk="}]},
    ],
)
def test_a_line_break_hidden_in_an_encoded_word_adds_no_header(inputs: dict[str, Any]) -> None:
    """Some releases of Python write such a break out, and are refused; others encode it again, which is harmless."""
    try:
        message = read(written(**inputs))
    except ValueError:
        with pytest.raises(ValueError, match="line break"):
            written(**inputs)
        return
    assert all(part["bcc"] is None for part in message.walk())
    assert message["to"] is not None


@given(st.text(max_size=300), st.text(max_size=120))
def test_no_text_adds_a_header_or_a_recipient(subject: str, name: str) -> None:
    try:
        message = read(written(subject=subject, from_name=name, headers={"X-Own": name}))
    except ValueError:
        return
    names = [header.lower() for header in message]
    expected = ["from", "to", "subject", "date", "message-id", "idempotency-key", "x-holdfast-idempotency-key", "x-own"]
    assert sorted(names) == sorted([*expected, "content-type", "content-transfer-encoding", "mime-version"])


def test_long_values_are_not_hidden_in_encoded_words() -> None:
    link = f"<https://example.com/{'u' * 300}>"
    content = written(headers={"List-Unsubscribe": link})
    assert f"List-Unsubscribe: {link}\r\n".encode() in content


def test_a_long_list_of_international_names_stays_a_list() -> None:
    addresses = [f'"Müller-Lüdenscheidt, Zoë {number}" <zoe{number}@example.com>' for number in range(40)]
    content = written(to=addresses)
    found = read(content)["To"].addresses
    assert [(each.display_name, each.addr_spec) for each in found] == [
        (f"Müller-Lüdenscheidt, Zoë {number}", f"zoe{number}@example.com") for number in range(40)
    ]
    assert max(map(len, content.split(b"\r\n"))) < 998


def test_a_long_international_name_is_written_as_the_standard_says() -> None:
    name = "Zoë Katharina von und zu Hohenlohe-Waldenburg-Schillingsfürst, Dr. habil. Professorin"
    header = written(to=f'"{name}" <zoe@example.com>').split(b"\r\nSubject:")[0].split(b"To: ")[1].decode()
    encoded = header.rpartition("<")[0].strip()
    assert str(make_header(decode_header(encoded))) == name
    assert all(len(word) <= 75 for word in encoded.split())


def test_an_international_mailbox_is_written_in_utf8() -> None:
    content = written(to="zoë@example.com")
    assert "To: zoë@example.com\r\n".encode() in content
    sender = Address(addr_spec="shop@example.com")
    assert envelope_of(EmailSendInputs(to=["zoë@example.com"], subject="s", text="t"), sender).international


def test_the_same_effect_writes_the_same_message() -> None:
    assert written() == written()


def test_another_effect_has_another_message_id() -> None:
    sender = Address(addr_spec="shop@example.com")
    assert message_id("a", sender) != message_id("b", sender)
    assert message_id("a", sender).endswith("@example.com>")


@pytest.mark.parametrize(
    ("filename", "content_type", "expected"),
    [
        ("a.pdf", None, "application/pdf"),
        ("a.unknown-kind", None, "application/octet-stream"),
        ("a", "text/csv; charset=utf-8", "text/csv"),
        ("a.eml", "message/rfc822", "application/octet-stream"),
        ("Übersicht 2030.txt", None, "text/plain"),
    ],
)
def test_an_attachment_has_a_name_and_a_type(filename: str, content_type: str | None, expected: str) -> None:
    attachment = {"filename": filename, "content_type": content_type, "content": "aGk="}
    part = next(iter(read(written(attachments=[attachment])).iter_attachments()))
    assert (part.get_filename(), part.get_content_type()) == (filename, expected)
    assert part.get_payload(decode=True) == b"content"
