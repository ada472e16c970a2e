"""Mails as messages: the parts everybody needs, whatever the mail looks like."""

import base64
import json
import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from app.inbound.mail import Mail, read_mail
from app.inbound.message import Unreadable
from app.inbound.multipart import Part
from app.inbound.sendgrid import read_parse

NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))
NOW = datetime(2030, 1, 31, 9, tzinfo=UTC)
LIMIT = 500_000


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {
        "From": "Ada Lovelace <Ada@Example.com>",
        "To": "Support <support@shop.example>",
        "Subject": "Wo bleibt mein Päckchen?",
        "Date": "Thu, 31 Jan 2030 08:30:00 +0100",
        "Message-ID": "<one@example.com>",
        **headers,
    }.items():
        if value:
            message[name] = value
    message.set_content("Guten Tag,\nwo bleibt es?\n")
    return message


def test_a_mail_has_the_fields_of_a_message() -> None:
    raw = mail(**{"In-Reply-To": "<zero@shop.example>", "References": "<a@b> <zero@shop.example>"}).as_bytes()
    event = read_mail(raw, NOW).message(LIMIT).envelope("support-mail")
    assert (event["type"], event["subject"], event["id"]) == (
        "message.email.received",
        "ada@example.com",
        "<one@example.com>",
    )
    data = event["data"]
    assert (data["email_from"], data["profile_name"], data["contact"]) == (
        "ada@example.com",
        "Ada Lovelace",
        "ada@example.com",
    )
    assert (data["email_subject"], data["email_body"]) == ("Wo bleibt mein Päckchen?", "Guten Tag,\nwo bleibt es?")
    assert (data["email_timestamp"], event["time"]) == ("2030-01-31T07:30:00Z", "2030-01-31T07:30:00Z")
    assert (data["in_reply_to"], data["references"]) == ("<zero@shop.example>", ["<a@b>", "<zero@shop.example>"])
    assert (data["to"], data["html"], data["attachments"], data["truncated"]) == (
        "Support <support@shop.example>",
        None,
        [],
        False,
    )


def test_html_alone_has_a_text() -> None:
    message = mail()
    message.set_content("<h1>Hello</h1><p>there &amp; <b>you</b></p><script>x()</script>", subtype="html")
    data = read_mail(message.as_bytes(), NOW).message(LIMIT).data
    assert data["email_body"] == "Hello\n\nthere & you"
    assert "<h1>Hello</h1>" in data["html"]


def test_a_text_stands_before_its_html_and_files_stand_apart() -> None:
    message = mail()
    message.add_alternative("<p>Guten Tag</p>", subtype="html")
    message.add_attachment(b"\x00\x01pdf", maintype="application", subtype="pdf", filename="Rechnung ä.pdf")
    message.add_attachment("attached words", filename="note.txt")
    data = read_mail(message.as_bytes(), NOW).message(LIMIT).data
    assert (data["email_body"], data["html"].strip()) == ("Guten Tag,\nwo bleibt es?", "<p>Guten Tag</p>")
    first, second = data["attachments"]
    assert (first["name"], first["content_type"], first["size"]) == ("Rechnung ä.pdf", "application/pdf", 5)
    assert base64.b64decode(first["content"]) == b"\x00\x01pdf"
    assert second["name"] == "note.txt"


def test_a_mail_inside_a_mail_is_a_file() -> None:
    message = mail()
    inner = mail(Subject="The one before")
    inner.set_content("inner words")
    message.add_attachment(inner)
    data = read_mail(message.as_bytes(), NOW).message(LIMIT).data
    assert "inner words" not in data["email_body"]
    [file] = data["attachments"]
    assert file["content_type"] == "message/rfc822"
    assert b"inner words" in base64.b64decode(file["content"])


def test_a_large_file_is_named_without_its_content() -> None:
    message = mail()
    message.add_attachment(b"x" * 30_000, maintype="image", subtype="png", filename="large.png")
    message.add_attachment(b"y" * 300, maintype="image", subtype="png", filename="small.png")
    data = read_mail(message.as_bytes(), NOW).message(20_000).data
    large, small = data["attachments"]
    assert (large["name"], large["size"], large["content"]) == ("large.png", 30_000, None)
    assert len(base64.b64decode(small["content"])) == 300
    assert not data["truncated"]


def test_a_mail_is_cut_to_what_an_event_may_have() -> None:
    message = mail()
    message.set_content("ä\N{GRINNING FACE}" * 40_000)
    message.add_alternative("<p>" + "long " * 30_000 + "</p>", subtype="html")
    data = read_mail(message.as_bytes(), NOW).message(50_000).data
    assert len(json.dumps(data, ensure_ascii=False).encode()) <= 50_000
    assert (data["html"], data["truncated"]) == (None, True)
    assert data["email_body"].startswith("ä\N{GRINNING FACE}ä")
    short = read_mail(message.as_bytes(), NOW, truncated=True)
    assert short.message(LIMIT).data["truncated"]


def test_a_mail_without_an_id_is_known_by_what_it_holds() -> None:
    first, again = (read_mail(mail(**{"Message-ID": ""}).as_bytes(), NOW) for _ in range(2))
    other = read_mail(mail(**{"Message-ID": "", "Subject": "Another"}).as_bytes(), NOW)
    assert first.id == again.id != other.id
    assert first.id.startswith("sha256:")


def test_a_mail_of_endless_headers_fits_into_an_event() -> None:
    long = b"x" * 300_000
    raw = b"".join(
        (b"From: " + long + b" <" + long + b"@a.example>\r\n", b"To: " + long + b"\r\n", b"Subject: " + long + b"\r\n")
    )
    files = b'--b\r\nContent-Type: a/b; name="' + long + b'"\r\nContent-ID: <' + long + b">\r\n\r\n1\r\n"
    raw += b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + files * 3 + b"--b--\r\n"
    event = read_mail(raw, NOW).message(20_000).envelope("m")
    assert len(json.dumps(event, ensure_ascii=False).encode()) <= 24_000
    assert "subject" not in event


def test_a_name_that_looks_like_an_address_is_a_name() -> None:
    written = "=?utf-8?q?boss=40shop.example_=3Cboss=40shop.example=3E=2C?= <eve@example.com>"
    data = read_mail(mail(From="").as_bytes().replace(b"To:", f"From: {written}\r\nTo:".encode(), 1), NOW).message(
        LIMIT
    )
    assert (data.contact, data.data["profile_name"]) == ("eve@example.com", "boss@shop.example <boss@shop.example>,")


@pytest.mark.parametrize(
    ("written", "contact"),
    [
        ("boss@shop.example <eve@example.com>", "eve@example.com"),
        ("boss@shop.example <eve@example.com>,", "eve@example.com"),
        ('"<boss@shop.example>" boss@shop.example <eve@example.com>', "eve@example.com"),
        ("Lovelace, Ada <ada@example.com>", "ada@example.com"),
        ("ada@example.com (Ada)", "ada@example.com"),
        ("Ada <ada@example.com>, Bob <bob@example.com>", "ada@example.com"),
        ("ada@example.com, bob@example.com", "ada@example.com"),
    ],
)
def test_the_contact_is_the_address_and_not_what_stands_before_it(written: str, contact: str) -> None:
    assert read_mail(f"From: {written}\r\n\r\nx".encode(), NOW).message(LIMIT).contact == contact


@pytest.mark.parametrize(
    ("header", "automatic"),
    [
        ("Auto-Submitted: auto-replied; owner=x", True),
        ("Auto-Submitted: No", False),
        ("Precedence: bulk", True),
        ("Return-Path: <>", True),
        ("Return-Path: <ada@example.com>", False),
        ("X-Auto-Response-Suppress: OOF, AutoReply", True),
        ("X-Auto-Response-Suppress: None", False),
        ("List-Id: <news.example.com>", True),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", True),
        ("X-Holdfast-Idempotency-Key: run/step", True),
        ("X-Other: y", False),
    ],
)
def test_a_mail_that_a_program_wrote_says_so(header: str, automatic: bool) -> None:
    raw = f"From: ada@example.com\r\n{header}\r\n\r\nx".encode()
    assert read_mail(raw, NOW).message(LIMIT).data["automatic"] is automatic
    if not header.startswith("Content-Type"):
        parsed = read_parse([field("from", "a@b.example"), field("headers", f"{header}\n")], NOW)
        assert parsed.message(LIMIT).data["automatic"] is automatic


def test_a_mail_without_a_sender_on_its_envelope_is_of_a_program() -> None:
    assert read_parse([field("from", "a@b.example"), field("envelope", '{"to":[],"from":""}')], NOW).automatic


@pytest.mark.parametrize("charset", ["punycode", "PUNYCODE", "idna", "unicode_escape"])
def test_what_is_no_character_set_of_mails_is_read_as_utf_8(charset: str) -> None:
    raw = f"From: a@b.example\r\nContent-Type: text/plain; charset={charset}\r\n\r\n-".encode() + b"a9" * 150_000
    began = time.perf_counter()
    assert read_mail(raw, NOW).text.startswith("-a9a9")
    assert time.perf_counter() - began < 5


def test_parts_that_are_made_to_keep_their_reader_busy_are_read_at_once() -> None:
    about = b"a*=x;" * 1900
    for kind in (b"a/b", b"text/plain"):
        part = b"--b\r\nContent-Type: " + kind + b"; " + about + b"\r\n\r\n1\r\n"
        raw = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 1000 + b"--b--"
        began = time.perf_counter()
        read_mail(raw, NOW).message(LIMIT)
        assert time.perf_counter() - began < 10


def test_endless_headers_that_sendgrid_passes_on_cost_what_is_beyond() -> None:
    headers = "Message-ID: <one@example.com>\nX-Long: " + "y" * 600_000
    assert read_parse([field("from", "a@b.example"), field("headers", headers)], NOW).id == "<one@example.com>"


def test_a_mail_that_cannot_be_read_is_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr("app.inbound.mail._parsed", fail)
    event = read_mail(b"odd", NOW).message(LIMIT).envelope("m")
    [file] = event["data"]["attachments"]
    assert (event["id"][:7], base64.b64decode(file["content"])) == ("sha256:", b"odd")


@pytest.mark.parametrize("odd", ["<!--", "<a ", "<![x>", "<", "<ul><li>", "<a>x", "&#", "<a b='"])
def test_html_that_never_ends_is_read_at_once(odd: str) -> None:
    began = time.perf_counter()
    raw = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + (odd * 100_000)[:100_000].encode()
    read_mail(raw, NOW).message(LIMIT)
    assert time.perf_counter() - began < 5


def test_an_id_too_long_for_an_event_is_its_digest() -> None:
    raw = b"Message-ID: <" + b"x" * 800 + b"@y>\r\nFrom: a@b.example\r\n\r\nx"
    event = read_mail(raw, NOW).message(LIMIT).envelope("m")
    assert event["id"].startswith("sha256:")
    assert len(event["data"]["message_id"]) == 804


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 99 Jan 2030 08:30:00 +0100", "Thu, 31 Jan 9999 08:30:00 +0100", "0 0 0 0"]
)
def test_a_date_nobody_can_believe_is_when_it_came_in(date: str) -> None:
    assert read_mail(mail().as_bytes().replace(b"Thu, 31 Jan 2030 08:30:00 +0100", date.encode()), NOW).at == NOW


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"no colon at all\r\n\r\nbody",
        b"From: =?utf-8?q?=FF=FE?= <a@b.example\r\nSubject: =?nope?x?x?=\r\n\r\nx",
        b'From: "a\r\n b" <>, ;,<<>>\r\nContent-Type: ; charset="\r\n\r\nx',
        b"Content-Type: text/plain; charset=klingon\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\ncut off",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: a/b; charset=\x00\r\n\r\n\xff",
        b"Content-Disposition: attachment; filename*=utf-8''%ff%\r\n\r\nx",
        b"Message-ID: \xff<\xe4@x>\r\nFrom: \xe4\xf6@x.example\r\nSubject: \xe4\r\n\r\n\xe4",
        NESTED,
        b"From: " + b"(" * 5000 + b"\r\nDate: " + b"(" * 5000 + b"\r\n\r\nx",
    ],
)
def test_whatever_is_wrong_with_a_mail_it_becomes_a_message(raw: bytes) -> None:
    message = read_mail(raw, NOW).message(LIMIT)
    event = message.envelope("m")
    assert event["id"]
    assert isinstance(event["data"]["email_body"], str)
    json.dumps(event)


def test_what_is_wrong_with_a_part_costs_not_the_mail() -> None:
    raw = b"From: a@b.example\r\nContent-Type: a/b; charset=a\x00b\r\n\r\n\xff"
    assert read_mail(raw, NOW).message(LIMIT).contact == "a@b.example"


def test_a_text_in_an_old_character_set_is_read() -> None:
    raw = b"From: a@b.example\r\nContent-Type: text/plain; charset=iso-8859-15\r\n\r\n10 \xa4 f\xfcr dich"
    assert read_mail(raw, NOW).text == "10 € für dich"


def field(name: str, content: str | bytes) -> Part:
    return Part(name, None, "text/plain", content if isinstance(content, bytes) else content.encode())


HEADERS = "Received: by mx\nMessage-ID: <one@example.com>\nDate: Thu, 31 Jan 2030 08:30:00 +0100\nReferences: <a@b>\n"
PARSED = [
    field("headers", HEADERS),
    field("dkim", "{@example.com : pass}"),
    field("to", "Support <support@shop.example>"),
    field("from", "Ada Lovelace <Ada@Example.com>"),
    field("text", "10 \xa4 f\xfcr dich".encode("latin-1")),
    field("html", "<p>10</p>"),
    field("sender_ip", "192.0.2.7"),
    field("envelope", '{"to":["support@shop.example"],"from":"ada@example.com"}'),
    field("attachments", "1"),
    field("attachment-info", '{"attachment1":{"filename":"a ä.png","type":"image/png","content-id":"ii_1"}}'),
    field("subject", "Päckchen"),
    field("spam_score", "0.1"),
    field("charsets", '{"to":"UTF-8","text":"iso-8859-15","subject":"UTF-8","from":"UTF-8","html":"klingon"}'),
    field("SPF", "pass"),
    Part("attachment1", "a.png", "image/png", b"\x89PNG"),
]


def test_what_sendgrid_parsed_is_a_mail() -> None:
    parsed = read_parse(PARSED, NOW)
    data = parsed.message(LIMIT).data
    assert (parsed.id, data["email_from"], data["profile_name"]) == (
        "<one@example.com>",
        "ada@example.com",
        "Ada Lovelace",
    )
    assert (data["email_subject"], data["email_body"], data["html"]) == ("Päckchen", "10 € für dich", "<p>10</p>")
    assert (data["email_timestamp"], data["references"]) == ("2030-01-31T07:30:00Z", ["<a@b>"])
    [file] = data["attachments"]
    assert (file["name"], file["content_type"], file["size"], file["content_id"]) == ("a ä.png", "image/png", 4, "ii_1")


def test_what_sendgrid_did_not_parse_is_the_mail_itself() -> None:
    parsed = read_parse([field("email", mail().as_bytes()), field("to", "x")], NOW)
    assert (parsed.id, parsed.subject) == ("<one@example.com>", "Wo bleibt mein Päckchen?")


def test_html_alone_has_a_text_there_too() -> None:
    parts = [field("from", "a@b.example"), field("html", "<p>Hello</p>"), field("attachment-info", "[]")]
    parsed = read_parse(parts, NOW)
    assert (parsed.text, parsed.at) == ("Hello", NOW)
    assert parsed.id == read_parse([*parts, field("spam_score", "2")], NOW).id
    assert parsed.id != read_parse([*parts, field("subject", "x")], NOW).id


def test_a_mail_to_nobody_shown_is_to_whom_it_was_sent() -> None:
    parts = [field("from", "a@b.example"), field("envelope", '{"to":["x@shop.example", 7]}')]
    assert read_parse(parts, NOW).to == "x@shop.example"


def test_a_form_without_a_mail_is_said() -> None:
    with pytest.raises(Unreadable, match="from and headers"):
        read_parse([field("text", "hello")], NOW)


def test_a_mail_from_nobody_has_no_contact() -> None:
    assert read_mail(b"Subject: x\r\n\r\ny", NOW).message(LIMIT).contact is None
    assert isinstance(read_mail(b"", NOW), Mail)
