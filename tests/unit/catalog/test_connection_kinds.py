"""The kinds of connection: what each needs, and that what is secret does not show."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from app.catalog.connection_base import LONGEST_CREDENTIAL
from app.catalog.connections import CONNECTION_KINDS, HttpCredentials, SmtpConfig
from app.catalog.messaging_connections import ImapConfig
from app.catalog.web import ApiKeyAuth
from app.services.errors import Invalid
from app.services.validation import validated

PUBLIC_KEY = base64.b64encode(
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    ("kind", "config", "credentials"),
    [
        ("smtp", {"host": "mail.example.com"}, {}),
        ("smtp", {"host": "::1", "port": 25, "security": "none", "from": "A <a@example.com>"}, {}),
        ("smtp", {"host": "mail.example.com", "security": "tls"}, {"username": "ada", "password": "x"}),
        ("http", {"base_url": "https://api.example.com/v2", "headers": {"X-A": 1}}, {}),
        ("http", {"base_url": "http://localhost:8080"}, {"type": "basic", "username": "ada", "password": "x"}),
        ("http", {"base_url": "https://a.example"}, {"type": "bearer", "token": "x"}),
        ("http", {"base_url": "https://a.example"}, {"type": "api_key", "value": "x", "in": "query", "name": "key"}),
        ("webhook", {}, {"secret": SECRET}),
        ("twilio", {"account_sid": "AC" + "0" * 32, "from": "whatsapp:+15017122661"}, {"auth_token": "x"}),
        ("messenger", {"page_id": "1065"}, {"app_secret": "x", "page_access_token": "y"}),
        ("whatsapp", {"phone_number_id": "1065", "business_account_id": "7"}, {"app_secret": "x"}),
        ("sendgrid", {}, {}),
        ("sendgrid", {"from": "A <a@example.com>", "verification_key": PUBLIC_KEY}, {"api_key": "x"}),
        ("imap", {"host": "imap.example.com"}, {"username": "ada", "password": "x"}),
        ("imap", {"host": "::1", "after": "move", "move_to": "Täken/2"}, {"username": "ada", "password": "x"}),
    ],
)
def test_a_connection_that_fits_is_taken(kind: str, config: dict[str, Any], credentials: dict[str, Any]) -> None:
    CONNECTION_KINDS[kind].config.model_validate(config)
    given = CONNECTION_KINDS[kind].credentials.model_validate(credentials)
    kept = given.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert CONNECTION_KINDS[kind].credentials.model_validate(kept) == given


@pytest.mark.parametrize(
    ("kind", "half", "value", "message"),
    [
        ("smtp", "config", {}, "host"),
        ("smtp", "config", {"host": "mail.example.com", "port": 70000}, "65535"),
        ("smtp", "config", {"host": "smtp://mail.example.com"}, "pattern"),
        ("smtp", "config", {"host": "mail.example.com", "security": "ssl"}, "starttls"),
        ("smtp", "config", {"host": "mail.example.com", "from": "nobody"}, "addresses"),
        ("smtp", "credentials", {"username": "ada"}, "go together"),
        ("http", "config", {"base_url": "api.example.com"}, "must begin with https://"),
        ("http", "config", {"base_url": "https://ada:hunter2@api.example.com"}, "no user name"),
        ("http", "config", {"base_url": "https://api.example.com/?key=hunter2"}, "query"),
        ("http", "config", {"base_url": "https://api.example.com", "headers": {"A": "1\n2"}}, "line break"),
        ("http", "credentials", {"type": "bearer"}, "for bearer, token: Field required"),
        ("http", "credentials", {"type": "bearer", "token": "x", "username": "ada"}, "username"),
        ("http", "credentials", {"token": "x"}, "token"),
        ("http", "credentials", {"type": "oauth2"}, "bearer"),
        ("webhook", "credentials", {"secret": "hunter2hunter2"}, "whsec_"),
        ("webhook", "credentials", {"secret": "whsec_" + base64.b64encode(b"short").decode()}, "24 to 64 bytes"),
        ("webhook", "config", {"url": "https://x"}, "Extra inputs"),
        ("twilio", "config", {"account_sid": "hunter2"}, "pattern"),
        ("twilio", "credentials", {}, "auth_token"),
        ("messenger", "config", {"page_id": "our-page"}, "pattern"),
        ("whatsapp", "credentials", {"access_token": "hunter2"}, "app_secret"),
        ("sendgrid", "config", {"verification_key": "hunter2"}, "base64"),
        ("sendgrid", "config", {"verification_key": base64.b64encode(b"hunter2" * 13).decode()}, "base64"),
        ("imap", "config", {"host": "imap.example.com", "poll_interval": "5s"}, "10s to 1d"),
        ("imap", "config", {"host": "imap.example.com", "poll_interval": "often"}, "no duration"),
        ("imap", "config", {"host": "imap.example.com", "after": "move"}, "move_to"),
        ("imap", "config", {"host": "imap.example.com", "move_to": "Taken"}, "move_to"),
        ("imap", "config", {"host": "imap.example.com", "after": "move", "move_to": "INBOX"}, "the mailbox itself"),
        ("imap", "config", {"host": "imap.example.com", "mailbox": "IN\r\nBOX"}, "control characters"),
        ("imap", "credentials", {"username": "a", "password": "hunter2\r\n"}, "control characters"),
    ],
)
def test_a_connection_that_does_not_fit_is_refused_with_the_reason(
    kind: str, half: str, value: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        getattr(CONNECTION_KINDS[kind], half).model_validate(value)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_from_the_security(security: str, port: int) -> None:
    assert SmtpConfig.model_validate({"host": "m", "security": security}).resolved_port == port


@pytest.mark.parametrize(("security", "port"), [("none", 143), ("starttls", 143), ("tls", 993)])
def test_the_port_of_a_mailbox_follows_from_its_security(security: str, port: int) -> None:
    assert ImapConfig.model_validate({"host": "m", "security": security}).resolved_port == port


def test_http_credentials_are_the_auth_of_a_request() -> None:
    auth = HttpCredentials.model_validate({"type": "api_key", "value": "k"}).as_auth()
    assert isinstance(auth, ApiKeyAuth)
    assert (auth.name, auth.value, auth.in_) == ("X-API-Key", "k", "header")


@pytest.mark.parametrize(
    ("kind", "credentials"),
    [
        ("smtp", {"username": "ada", "password": "hunter2hunter2"}),
        ("http", {"type": "bearer", "token": "hunter2hunter2"}),
        ("webhook", {"secret": SECRET}),
        ("twilio", {"auth_token": "hunter2hunter2"}),
        ("messenger", {"app_secret": "hunter2hunter2", "page_access_token": "hunter2hunter2"}),
        ("whatsapp", {"app_secret": "hunter2hunter2", "access_token": "hunter2hunter2"}),
        ("sendgrid", {"api_key": "hunter2hunter2"}),
        ("imap", {"username": "ada", "password": "hunter2hunter2"}),
    ],
)
def test_secrets_do_not_show_in_a_representation(kind: str, credentials: dict[str, Any]) -> None:
    shown = repr(CONNECTION_KINDS[kind].credentials.model_validate(credentials))
    assert "hunter2" not in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field.alias or name)
        for kind, known in CONNECTION_KINDS.items()
        for name, field in known.credentials.model_fields.items()
        if not (kind == "http" and name in ("type", "in_"))
    ],
)
def test_no_credential_is_longer_than_it_may_be(kind: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        validated(
            CONNECTION_KINDS[kind].credentials,
            {field: "x" * (LONGEST_CREDENTIAL + 1)},
            code="invalid_connection",
            subject="the connection",
            root="credentials",
        )
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert "characters" in found[f"credentials.{field}"]


def test_a_long_credential_is_taken() -> None:
    token = "x" * LONGEST_CREDENTIAL
    assert HttpCredentials.model_validate({"type": "bearer", "token": token}).token == token
