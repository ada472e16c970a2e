"""`email.send` against a mail server on loopback: what arrives, read by the standard library, and what can go wrong."""

import asyncio
import base64
import socket
from typing import Any

import pytest

from activities.base import ActionError
from app.catalog.errors import ErrorType
from app.json import JsonObject
from app.services.connections import ResolvedConnection
from tests.contract.conftest import OpenCaller
from tests.support.certificates import Certificates
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import KEY, STARTED_AT, ActionCaller, connection_of
from tests.support.smtp_catcher import Mail, SmtpCatcher, open_smtp_catcher


def server(port: int, credentials: JsonObject | None = None, **config: Any) -> ResolvedConnection:
    return connection_of(
        "smtp",
        {"host": "127.0.0.1", "port": port, "security": "none", "from": "Shop <shop@example.com>", **config},
        credentials,
    )


async def sent(call: ActionCaller, catcher: SmtpCatcher, **inputs: Any) -> Mail:
    """The one message these inputs make."""
    given = {"to": "ada@example.com", "subject": "Hello", "text": "Hi", **inputs}
    await call(
        "email.send",
        {name: value for name, value in given.items() if value is not ...},
        connection=server(catcher.port),
    )
    assert len(catcher.mails) == 1
    return catcher.mails[0]


async def failure(call: ActionCaller, connection: ResolvedConnection | None, **inputs: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await call(
            "email.send", {"to": "ada@example.com", "subject": "s", "text": "t", **inputs}, connection=connection
        )
    return caught.value


def text_of(mail: Mail, content_type: str) -> str:
    return "\n".join(mail.part(content_type).splitlines())


# What arrives


async def test_html_goes_out_with_a_text_part_made_from_it(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    html = "<h1>Zoë</h1><p>It is <b>still 50 €</b>,<br>see <a href='https://example.com/cart'>your cart</a>.</p>"
    mail = await sent(call, smtp_catcher, subject="Grüße, Zoë 👋", body=html, text=...)
    assert mail.message["Subject"] == "Grüße, Zoë 👋"
    assert mail.message["From"] == "Shop <shop@example.com>"
    assert mail.message["To"] == "ada@example.com"
    assert mail.message.get_content_type() == "multipart/alternative"
    assert text_of(mail, "text/html") == html
    assert text_of(mail, "text/plain") == "Zoë\n\nIt is still 50 €,\nsee your cart (https://example.com/cart)."
    assert mail.sender == "shop@example.com"
    assert mail.recipients == ["ada@example.com"]


async def test_text_alone_is_a_plain_message(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, text="Line öne\nLine two\n.\nafter a dot")
    assert mail.message.get_content_type() == "text/plain"
    assert mail.content.isascii()
    assert text_of(mail, "text/plain") == "Line öne\nLine two\n.\nafter a dot"


async def test_a_text_given_beside_html_is_kept(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, body="<p>HTML</p>", text="my own")
    assert (text_of(mail, "text/plain"), text_of(mail, "text/html")) == ("my own", "<p>HTML</p>")


async def test_a_body_without_tags_keeps_its_lines(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, body="Hello Ada,\n\nwelcome.", text=...)
    assert text_of(mail, "text/plain") == "Hello Ada,\n\nwelcome."
    assert text_of(mail, "text/html") == "Hello Ada,<br>\n<br>\nwelcome."


async def test_copies_are_seen_and_hidden_copies_are_not(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(
        call,
        smtp_catcher,
        to='"Lovelace, Ada" <ada@example.com>, bob@example.com',
        cc=["Zoë <zoe@example.com>"],
        bcc=["boss@example.com", "ADA2@example.com"],
        reply_to="help@example.com",
    )
    assert [address.addr_spec for address in mail.message["To"].addresses] == ["ada@example.com", "bob@example.com"]
    assert mail.message["To"].addresses[0].display_name == "Lovelace, Ada"
    assert mail.message["Cc"].addresses[0].display_name == "Zoë"
    assert mail.message["Reply-To"] == "help@example.com"
    assert mail.message["Bcc"] is None
    assert b"boss@example.com" not in mail.content
    assert mail.recipients == [
        "ada@example.com",
        "bob@example.com",
        "zoe@example.com",
        "boss@example.com",
        "ADA2@example.com",
    ]


async def test_a_recipient_named_twice_gets_it_once(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, to="ada@example.com", cc="ada@example.com", bcc="Ada <ada@example.com>")
    assert mail.recipients == ["ada@example.com"]


async def test_sender_and_name_of_the_step_win(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, **{"from": "Sales <sales@example.org>", "from_name": "Zoë from Sales"})
    assert mail.sender == "sales@example.org"
    assert mail.message["From"].addresses[0].display_name == "Zoë from Sales"
    assert mail.message["From"].addresses[0].addr_spec == "sales@example.org"


async def test_the_message_says_whose_attempt_it_is(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    inputs = {"to": "ada@example.com", "subject": "s", "text": "t", "headers": {"X-Campaign": 7}}
    connection = server(smtp_catcher.port)
    first = await call("email.send", inputs, connection=connection, attempt=1)
    second = await call("email.send", inputs, connection=connection, attempt=2)
    other = await call("email.send", inputs, connection=connection, key="another/step")
    assert first.message_id == second.message_id != other.message_id
    assert first.message_id.startswith("<")
    assert first.message_id.endswith("@example.com>")
    message = smtp_catcher.mails[0].message
    assert message["Message-ID"] == first.message_id
    assert message["Idempotency-Key"] == message["X-Holdfast-Idempotency-Key"] == KEY
    assert message["Date"].datetime == STARTED_AT
    assert message["X-Campaign"] == "7"
    assert first.accepted == ["ada@example.com"]
    assert (first.rejected, first.success) == ([], True)


async def test_an_international_domain_is_sent_in_ascii(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    mail = await sent(call, smtp_catcher, to="ada@bücher.example")
    assert mail.recipients == ["ada@xn--bcher-kva.example"]


async def test_attachments_arrive_whole(call: ActionCaller, smtp_catcher: SmtpCatcher, http_stub: HttpStub) -> None:
    content = bytes(range(256)) * 40
    pdf = b"%PDF-1.7 \x00\xff"
    http_stub.answer("/files/Angebot%20M%C3%BCller.pdf", Answer(body=b"wrong"))
    http_stub.answer("/files/Angebot Müller.pdf", Answer(body=pdf, headers={"Content-Type": "application/pdf"}))
    mail = await sent(
        call,
        smtp_catcher,
        body="<p>see files</p>",
        text=...,
        attachments=[
            {"filename": "raw.bin", "content": base64.encodebytes(content).decode()},
            {"filename": "notes.txt", "content_type": "text/plain; charset=utf-8", "content": "w7w="},
            {"url": f"{http_stub.url}/files/Angebot%20M%C3%BCller.pdf"},
        ],
    )
    assert mail.message.get_content_type() == "multipart/mixed"
    found = {part.get_filename(): part for part in mail.message.iter_attachments()}
    assert found["raw.bin"].get_content() == content
    assert found["raw.bin"].get_content_type() == "application/octet-stream"
    assert found["notes.txt"].get_payload(decode=True) == "ü".encode()
    assert found["Angebot Müller.pdf"].get_content() == pdf
    assert found["Angebot Müller.pdf"].get_content_type() == "application/pdf"
    assert http_stub.requests[0].headers["Idempotency-Key"] == f"{KEY}/attachments[2]"


async def test_an_attachment_that_cannot_be_fetched_sends_nothing(
    call: ActionCaller, smtp_catcher: SmtpCatcher, http_stub: HttpStub
) -> None:
    http_stub.answer("/gone.pdf", Answer(status=404))
    error = await failure(call, server(smtp_catcher.port), attachments=[{"url": f"{http_stub.url}/gone.pdf"}])
    assert error.type is ErrorType.PROVIDER_REJECTED
    assert error.message.startswith("attachments[0]: GET")
    assert smtp_catcher.mails == []


async def test_an_attachment_from_a_private_address_is_refused(
    open_caller: OpenCaller, smtp_catcher: SmtpCatcher, http_stub: HttpStub
) -> None:
    call = open_caller("localhost")
    error = await failure(
        call, server(smtp_catcher.port, host="localhost"), attachments=[{"url": f"{http_stub.url}/secret"}]
    )
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert http_stub.requests == []


# TLS and login


async def test_tls_from_the_start_verifies_the_server(
    trusted_certificates: Certificates, open_caller: OpenCaller
) -> None:
    async with open_smtp_catcher(tls=trusted_certificates.server) as catcher:
        connection = server(catcher.port, host="localhost", security="tls")
        await open_caller("localhost")("email.send", _minimal(), connection=connection)
        assert len(catcher.mails) == 1


async def test_starttls_comes_before_the_login(trusted_certificates: Certificates, open_caller: OpenCaller) -> None:
    login = ("ada", "s3cret!")
    async with open_smtp_catcher(starttls=trusted_certificates.server, credentials=login) as catcher:
        connection = server(
            catcher.port, {"username": "ada", "password": "s3cret!"}, host="localhost", security="starttls"
        )
        await open_caller("localhost")("email.send", _minimal(), connection=connection)
        assert catcher.logins == ["ada"]
        assert len(catcher.mails) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_nobody_trusts_is_refused(
    call: ActionCaller, certificates: Certificates, security: str
) -> None:
    how = {"tls": certificates.server} if security == "tls" else {"starttls": certificates.server}
    async with open_smtp_catcher(**how) as catcher:  # type: ignore[arg-type]
        error = await failure(call, server(catcher.port, security=security))
        assert error.type is ErrorType.TLS_FAILED
        assert "not trusted" in error.message
        assert catcher.mails == []


async def test_a_server_without_starttls_is_not_used_in_the_clear(
    call: ActionCaller, smtp_catcher: SmtpCatcher
) -> None:
    error = await failure(call, server(smtp_catcher.port, security="starttls"))
    assert error.type is ErrorType.CONNECTION_INVALID
    assert "STARTTLS" in error.message
    assert smtp_catcher.mails == []


async def test_a_wrong_password_is_said_without_showing_it(call: ActionCaller) -> None:
    async with open_smtp_catcher(credentials=("ada", "right")) as catcher:
        error = await failure(call, server(catcher.port, {"username": "ada", "password": "wr0ng-one"}))
    assert error.type is ErrorType.PROVIDER_AUTH
    assert "wr0ng-one" not in error.message


async def test_a_server_that_wants_a_login_says_so(call: ActionCaller) -> None:
    async with open_smtp_catcher(credentials=("ada", "right")) as catcher:
        error = await failure(call, server(catcher.port))
    assert (error.type, error.provider_code) == (ErrorType.PROVIDER_REJECTED, "530")


# Refusals


async def test_some_refused_recipients_are_listed(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    smtp_catcher.refuse_recipients = {"gone@example.com"}
    inputs = {**_minimal(), "to": ["ada@example.com", "gone@example.com"]}
    output = await call("email.send", inputs, connection=server(smtp_catcher.port))
    assert output.accepted == ["ada@example.com"]
    assert [each.model_dump() for each in output.rejected] == [
        {"address": "gone@example.com", "code": 550, "reason": "5.1.1 no such mailbox"}
    ]
    assert output.success is False
    assert smtp_catcher.mails[0].recipients == ["ada@example.com"]


async def test_all_refused_is_an_error(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    smtp_catcher.refuse_recipients = {"ada@example.com"}
    error = await failure(call, server(smtp_catcher.port))
    assert (error.type, error.provider_code) == (ErrorType.PROVIDER_REJECTED, "550")
    assert "ada@example.com: 550 5.1.1 no such mailbox" in error.message


@pytest.mark.parametrize(
    ("answer", "type"),
    [
        ("451 4.3.0 try again later", ErrorType.PROVIDER_UNAVAILABLE),
        ("452 4.2.2 mailbox full", ErrorType.PROVIDER_UNAVAILABLE),
        ("554 5.7.1 spam", ErrorType.PROVIDER_REJECTED),
    ],
)
async def test_a_reply_says_whether_trying_again_helps(
    call: ActionCaller, smtp_catcher: SmtpCatcher, answer: str, type: ErrorType
) -> None:
    smtp_catcher.answer_data = [answer]
    error = await failure(call, server(smtp_catcher.port))
    assert (error.type, error.provider_code) == (type, answer[:3])
    assert answer in error.message


async def test_a_server_that_is_not_there_is_a_failed_connection(call: ActionCaller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = await failure(call, server(port))
    assert error.type is ErrorType.CONNECTION_FAILED
    assert f"127.0.0.1:{port}" in error.message


async def test_a_server_that_hangs_up_is_a_failed_connection(call: ActionCaller) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listener:
        error = await failure(call, server(listener.sockets[0].getsockname()[1]))
    assert error.type is ErrorType.CONNECTION_FAILED


async def test_a_server_that_says_nothing_times_out(call: ActionCaller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.smtp_client.COMMAND_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = await failure(call, server(listener.getsockname()[1]))
    assert error.type is ErrorType.TIMEOUT


async def test_a_server_that_does_not_resolve_is_not_found(call: ActionCaller) -> None:
    error = await failure(call, server(25, host="mail.invalid"))
    assert error.type is ErrorType.HOST_NOT_FOUND


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "169.254.169.254", "0x7f.1"])
async def test_the_egress_rule_holds_for_mail_servers(strict_call: ActionCaller, host: str) -> None:
    error = await failure(strict_call, server(25, host=host))
    assert error.type in (ErrorType.EGRESS_BLOCKED, ErrorType.HOST_NOT_FOUND)
    if host != "0x7f.1":
        assert error.type is ErrorType.EGRESS_BLOCKED


async def test_without_a_connection_there_is_no_server(call: ActionCaller) -> None:
    assert (await failure(call, None)).type is ErrorType.CONNECTION_MISSING


async def test_without_a_sender_nothing_is_sent(call: ActionCaller, smtp_catcher: SmtpCatcher) -> None:
    error = await failure(call, server(smtp_catcher.port, **{"from": None}))
    assert error.type is ErrorType.INVALID_INPUT
    assert "from" in error.message


def _minimal() -> JsonObject:
    return {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}
