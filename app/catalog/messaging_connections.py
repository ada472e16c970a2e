"""Kinds of connection that messages come in over and go out by: telephone numbers, pages, mailboxes.

What is only needed to send may be left out by those who only receive.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from app.catalog.connection_base import ConnectionKind, ConnectionModel
from app.catalog.email import OneAddress
from app.definition.durations import parse as parse_duration
from app.definition.errors import DurationError

SHORTEST_INTERVAL = timedelta(seconds=10)
LONGEST_INTERVAL = timedelta(days=1)

_IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_DIGITS = r"^[0-9]{1,40}$"
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""How the public keys begin that SendGrid gives: DER of a point on P-256."""

Secret = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class TwilioConfig(ConnectionModel):
    """An account of Twilio: SMS, WhatsApp and voice."""

    account_sid: str = Field(pattern=r"^AC[0-9a-fA-F]{32}$", description="SID of the account, AC and 32 digits.")
    from_: str | None = Field(
        None,
        alias="from",
        pattern=r"^(whatsapp:|messenger:)?\+?[A-Za-z0-9 ]{1,40}$",
        description="Default sender: a number in E.164.",
        examples=["+15017122661"],
    )


class TwilioCredentials(ConnectionModel):
    """The token Twilio signs with."""

    auth_token: Secret = Field(repr=False, description="Auth token of the account.")


class MessengerConfig(ConnectionModel):
    """A page of Facebook."""

    page_id: str = Field(pattern=_DIGITS, description="Id of the page.")


class MessengerCredentials(ConnectionModel):
    """What the app that serves the page has."""

    app_secret: Secret = Field(repr=False, description="App secret, which Meta signs with.")
    page_access_token: Secret | None = Field(None, repr=False, description="Token to send as the page.")


class WhatsAppConfig(ConnectionModel):
    """A number of WhatsApp's Cloud API. Numbers at Twilio are of kind twilio."""

    phone_number_id: str = Field(pattern=_DIGITS, description="Id of the number, not the number itself.")
    business_account_id: str | None = Field(None, pattern=_DIGITS, description="Id of the WhatsApp business account.")


class WhatsAppCredentials(ConnectionModel):
    """What the app that serves the number has."""

    app_secret: Secret = Field(repr=False, description="App secret, which Meta signs with.")
    access_token: Secret | None = Field(None, repr=False, description="Token to send and to fetch media with.")


class SendGridConfig(ConnectionModel):
    """An account of SendGrid."""

    from_: OneAddress = Field(None, alias="from", description="Default sender; a display name is allowed.")
    verification_key: str | None = Field(
        None,
        max_length=1000,
        description="Public key of SendGrid's signature (base64); given, mails that are not signed are refused.",
    )

    @field_validator("verification_key")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            raw = base64.b64decode(value.strip(), validate=True)
        except ValueError:
            raw = b""
        if len(raw) != len(_P256) + 65 or not raw.startswith(_P256):
            raise ValueError("the verification key is base64, as SendGrid shows it beside the signature's switch")
        return value.strip()


class SendGridCredentials(ConnectionModel):
    """What sending asks for."""

    api_key: Secret | None = Field(None, repr=False, description="API key to send with.")


class ImapConfig(ConnectionModel):
    """A mailbox whose new mails are fetched."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[^\s/@]+$", description="Host name or address.")
    port: int | None = Field(None, ge=1, le=65535, description="Default: 993, with starttls or none 143.")
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="TLS from the start, after STARTTLS (never without), or not at all."
    )
    mailbox: str = Field("INBOX", min_length=1, max_length=200, description="Name of the mailbox.")
    poll_interval: str = Field("1m", max_length=100, description="How often it is looked into, 10s to 1d.")
    after: Literal["keep", "seen", "move"] = Field(
        "keep", description="What becomes of a mail that was taken: it stays as it is, is marked as seen, or moved."
    )
    move_to: str | None = Field(None, min_length=1, max_length=200, description="Mailbox that mails are moved to.")

    @property
    def resolved_port(self) -> int:
        """The port, or the usual one for this kind of security."""
        return self.port or _IMAP_PORTS[self.security]

    def destination(self) -> Mapping[str, object]:
        """They go to this server, in clear text if it says so."""
        return {"host": self.host.lower(), "port": self.resolved_port, "security": self.security}

    @property
    def interval(self) -> timedelta:
        """Time from one look to the next."""
        return parse_duration(self.poll_interval)

    @field_validator("poll_interval")
    @classmethod
    def _is_a_sensible_duration(cls, value: str) -> str:
        try:
            interval = parse_duration(value)
        except DurationError as error:
            raise ValueError(str(error)) from None
        if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
            raise ValueError("poll_interval is 10s to 1d")
        return value

    @field_validator("mailbox", "move_to")
    @classmethod
    def _is_one_line(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("the name of a mailbox has no control characters")
        return value

    @model_validator(mode="after")
    def _says_where_to(self) -> "ImapConfig":
        if (self.after == "move") != (self.move_to is not None):
            raise ValueError("move_to goes with after: move, and names the mailbox that mails are moved to")
        if self.move_to == self.mailbox:
            raise ValueError("move_to is the mailbox itself; name another")
        return self


class ImapCredentials(ConnectionModel):
    """How to log in."""

    username: str = Field(min_length=1, max_length=320, description="User name.")
    password: Secret = Field(repr=False, description="Password, or one made for this application.")

    @field_validator("username", "password")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must have no control characters")
        return value


MESSAGING_KINDS = (
    ConnectionKind("twilio", "Twilio (SMS, WhatsApp, voice)", TwilioConfig, TwilioCredentials),
    ConnectionKind("messenger", "Facebook Messenger", MessengerConfig, MessengerCredentials),
    ConnectionKind("whatsapp", "WhatsApp Cloud API", WhatsAppConfig, WhatsAppCredentials),
    ConnectionKind("sendgrid", "SendGrid", SendGridConfig, SendGridCredentials),
    ConnectionKind("imap", "Mailbox (IMAP)", ImapConfig, ImapCredentials),
)
