"""Catalog entry of `email.send`, and what an e-mail address may look like. Shapes and words, nothing is sent here."""

import base64
import binascii
import re
from email.errors import HeaderDefect, InvalidHeaderDefect
from email.headerregistry import Address
from email.policy import SMTP
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator

from app.catalog.base import Action, ActionModel
from app.catalog.errors import CALL_ERRORS
from app.catalog.web import as_text
from app.definition.steps import Retry
from app.json import JsonObject

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;.*)?")
# Headers with fields of their own, or that say how the message is built.
_OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "mime-version", "content-type"}
    | {"content-transfer-encoding", "content-disposition", "idempotency-key", "x-holdfast-idempotency-key"}
)
MAX_RECIPIENTS = 1000


def one_line(value: str, what: str) -> str:
    """Text for a header, stripped; raises `ValueError` when a line break in it would begin another header."""
    text = value.strip()
    if _CONTROL.search(text):
        raise ValueError(f"{what} holds a line break or a control character")
    return text


def parse_addresses(value: str) -> list[Address]:
    """The addresses of an address list (RFC 5322, 3.4), display names included; raises `ValueError` naming the text."""
    text = one_line(value, "an address")
    if not text:
        return []
    try:
        header = SMTP.header_factory("to", text)
        addresses: tuple[Address, ...] = header.addresses
        defects: tuple[HeaderDefect, ...] = header.defects
    except (ValueError, IndexError, RecursionError, AttributeError) as error:
        raise ValueError(f"{_short(text)} is no e-mail address") from error
    if not addresses or any(isinstance(defect, InvalidHeaderDefect) for defect in defects):
        raise ValueError(
            f"{_short(text)} is no list of e-mail addresses; write Ada <ada@example.com>, comma between two"
        )
    for address in addresses:
        if not address.username or not address.domain or " " in address.domain:
            raise ValueError(f"{_short(str(address))} is no e-mail address; it needs a name, an @ and a domain")
    return list(addresses)


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:97] + "...")


def _address_list(value: object) -> object:
    """One text or a list of texts, each an address list, as one flat list of single addresses; null is none."""
    if value is None:
        return []
    found: list[str] = []
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            raise ValueError("addresses are a text or a list of texts")
        found += map(str, parse_addresses(text))
    if len(found) > MAX_RECIPIENTS:
        raise ValueError(f"{len(found)} addresses are more than the {MAX_RECIPIENTS} one message may have")
    return found


def _one_address(value: object) -> object:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(parse_addresses(value)) != 1:
        raise ValueError("exactly one address is expected")
    return value.strip()


Addresses: TypeAlias = Annotated[
    list[str], BeforeValidator(_address_list, json_schema_input_type=str | list[str] | None)
]
OneAddress: TypeAlias = Annotated[str | None, BeforeValidator(_one_address, json_schema_input_type=str | None)]


class Attachment(ActionModel):
    """A file that goes along: its content, or where it is fetched from."""

    filename: str | None = Field(None, max_length=255, description="Name the reader sees; default from the URL.")
    content_type: str | None = Field(None, description="Media type; default from the answer or the name.")
    content: str | None = Field(None, description="The file in base64.")
    url: str | None = Field(None, max_length=8192, description="Where the file is fetched from.")

    @field_validator("filename")
    @classmethod
    def _names_a_file(cls, value: str | None) -> str | None:
        # The reader's program decides where a file goes: a path in its name is refused, not shortened in silence.
        if value is None:
            return None
        name = one_line(value, "a file name")
        if not name or "/" in name or "\\" in name:
            raise ValueError(f"{name!r} is no file name: it must not be empty or hold a slash")
        return name

    @field_validator("content_type")
    @classmethod
    def _is_a_media_type(cls, value: str | None) -> str | None:
        if value is not None and not _CONTENT_TYPE.fullmatch(one_line(value, "a content type")):
            raise ValueError(f"{value!r} is no media type; write something like application/pdf")
        return value

    @field_validator("content")
    @classmethod
    def _is_base64(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                base64.b64decode("".join(value.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise ValueError(f"the content is not base64: {error}") from error
        return value

    @model_validator(mode="after")
    def _has_one_source(self) -> "Attachment":
        if (self.content is None) == (self.url is None):
            raise ValueError("an attachment needs either content (base64) or url")
        if self.content is not None and not self.filename:
            raise ValueError("an attachment with content needs a filename")
        return self


class EmailSendInputs(ActionModel):
    """One message."""

    to: Addresses = Field(
        description="Recipients: one address, a comma-separated list, or a list; display names allowed.",
        examples=["ada@example.com", ["Ada <ada@example.com>", "bob@example.com"]],
    )
    subject: str = Field(description="Subject line.", examples=["You left something"])
    body: str | None = Field(
        None,
        description="The message in HTML; the text part is made from it. Without any tag its line breaks are kept.",
        examples=["<p>Hello {{ trigger.contact.first_name }}</p>"],
    )
    text: str | None = Field(None, description="The text part; alone it makes a plain text message.")
    cc: Addresses = Field(default_factory=list, description="Copies, like `to`.")
    bcc: Addresses = Field(default_factory=list, description="Hidden copies, like `to`; no one else sees them.")
    reply_to: Addresses = Field(default_factory=list, description="Where answers go, like `to`.")
    from_: OneAddress = Field(None, alias="from", description="Sender; default: that of the connection.")
    from_name: str | None = Field(None, max_length=200, description="Display name of the sender.")
    attachments: list[Attachment] = Field(default_factory=list, max_length=50, description="Files that go along.")
    headers: dict[str, Annotated[str, BeforeValidator(as_text)]] = Field(
        default_factory=dict,
        description="Further headers by name.",
        examples=[{"List-Unsubscribe": "<https://example.com/u>"}],
    )

    @field_validator("to")
    @classmethod
    def _has_a_recipient(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("there is no recipient")
        return value

    @field_validator("subject", "from_name")
    @classmethod
    def _is_one_line(cls, value: str | None) -> str | None:
        return None if value is None else one_line(value, "the text")

    @field_validator("headers")
    @classmethod
    def _headers_are_safe(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a header name")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"the header {name} has a field of its own or is set by Holdfast")
            one_line(text, f"the value of the header {name}")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> "EmailSendInputs":
        if self.body is None and self.text is None:
            raise ValueError("a message needs body (HTML) or text")
        return self


class Rejected(ActionModel):
    """A recipient the server did not take."""

    address: str = Field(description="Address.")
    code: int = Field(description="SMTP reply code.", examples=[550])
    reason: str = Field(description="What the server said.")


class EmailSendOutputs(ActionModel):
    """What became of the message."""

    message_id: str = Field(description="Message-ID of the message, the same for every attempt.")
    accepted: list[str] = Field(description="Addresses the server took.")
    rejected: list[Rejected] = Field(description="Addresses it refused; all refused is an error instead.")
    success: bool = Field(description="True when every recipient was accepted.")


_EXAMPLES: tuple[JsonObject, ...] = (
    {
        "title": "Remind somebody of their cart",
        "connection": "smtp-main",
        "inputs": {
            "to": "{{ trigger.contact.email }}",
            "subject": "You left something, {{ trigger.contact.first_name | default('friend') }}",
            "body": "<p>It is still <b>{{ trigger.total }} {{ vars.currency }}</b>.</p>",
        },
    },
    {
        "title": "An invoice, with a copy to accounting",
        "connection": "smtp-main",
        "inputs": {
            "to": "Ada Lovelace <ada@example.com>",
            "bcc": ["accounting@example.com"],
            "reply_to": "billing@example.com",
            "subject": "Your invoice",
            "text": "Please find your invoice attached.",
            "attachments": [{"filename": "invoice.pdf", "url": "https://example.com/invoices/42.pdf"}],
        },
    },
)

EMAIL_SEND = Action(
    id="email.send",
    title="Send an e-mail",
    description="Send a message over SMTP, with HTML and text parts, copies and attachments.",
    icon="mail",
    inputs=EmailSendInputs,
    outputs=EmailSendOutputs,
    where="remote",
    idempotency="Message-ID and Idempotency-Key header are the same for every attempt, so that a repeat can be told.",
    connection="smtp",
    connection_required=True,
    retry=Retry.model_validate({"initial_interval": "2s", "max_interval": "5m"}),
    timeout=60.0,
    errors=CALL_ERRORS,
    aliases=("send_email",),
    examples=_EXAMPLES,
)

ACTIONS = (EMAIL_SEND,)
