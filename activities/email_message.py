"""Builds the message `email.send` sends: headers, text and HTML parts, attachments. Nothing is sent or fetched here."""

import hashlib
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from app.catalog.email import EmailSendInputs, parse_addresses
from app.inbound.html_text import has_tags, html_to_text

_LONGEST_LINE = 900
"""Characters, safely below the 998 a line may have (RFC 5322, 2.1.1)."""

_BREAKS_OUT = re.compile(rb"\r(?!\n)|(?<!\r)\n|\r\n(?![ \t]|\Z)|\0")


class _Headers(EmailPolicy):
    """How headers are written: as they are while they fit a line, address lists with one address a line.

    The standard library would put a long token (an unsubscribe link, a key) into encoded words, which few programs
    undo, and gets commas in display names wrong when it folds a list.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as bytes; raises `ValueError` when it would be read as more than one header.

        Encoded words in what users give are decoded on the way, line breaks in them included.
        """
        written = self._written(name, value)
        if _BREAKS_OUT.search(written):
            raise ValueError(f"the header {name} holds a line break")
        return written

    def _written(self, name: str, value: Any) -> bytes:
        addresses: tuple[Address, ...] | None = getattr(value, "addresses", None)
        if addresses and not self.utf8:
            lines = ",\n ".join(map(_written, addresses)).split("\n")
            return f"{name}: {self.linesep.join(lines)}{self.linesep}".encode()
        text = str(value)
        if text.isascii() and len(name) + len(text) < _LONGEST_LINE:
            return f"{name}: {text}{self.linesep}".encode()
        return super().fold_binary(name, value)


def _written(address: Address) -> str:
    """An address in ASCII; a name that is not goes into encoded words of at most 75 characters (RFC 2047)."""
    if address.display_name.isascii():
        return str(address)
    return f"{Header(address.display_name, 'utf-8', maxlinelen=75).encode()} <{address.addr_spec}>"


@dataclass(frozen=True)
class File:
    """An attachment whose content is there."""

    filename: str
    content_type: str | None
    content: bytes


@dataclass(frozen=True)
class Envelope:
    """What the server is told, as opposed to what the message says: hidden copies stand here alone."""

    sender: str
    recipients: list[str]
    international: bool
    """Some address needs SMTPUTF8 (RFC 6531): its part before the @ is not ASCII."""


def sender_of(inputs: EmailSendInputs, default: str | None) -> Address:
    """Who the message is from; raises `ValueError` when neither the step nor the connection says."""
    text = inputs.from_ or default
    if not text:
        raise ValueError("there is no sender: set `from` in the step or in the connection")
    address = _sendable(parse_addresses(text)[0])
    name = inputs.from_name if inputs.from_name is not None else address.display_name
    return Address(display_name=name, addr_spec=address.addr_spec)


def envelope_of(inputs: EmailSendInputs, sender: Address) -> Envelope:
    """Sender and recipients, each once, in the order they are named."""
    addresses = [address.addr_spec for field in (inputs.to, inputs.cc, inputs.bcc) for address in _addresses(field)]
    recipients = list(dict.fromkeys(addresses))
    international = not all(address.isascii() for address in (sender.addr_spec, *recipients))
    return Envelope(sender.addr_spec, recipients, international)


def message_id(key: str, sender: Address) -> str:
    """The Message-ID of an effect: the same for every attempt, and no other effect's."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{sender.domain.strip('[]')}>"


def build_message(
    inputs: EmailSendInputs, *, sender: Address, key: str, date: datetime, files: Sequence[File], international: bool
) -> EmailMessage:
    """The whole message. The same arguments give the same message, except for MIME boundaries."""
    # Bodies in seven bits, since not every server on the way takes eight (RFC 6152).
    message = EmailMessage(policy=_Headers(linesep="\r\n", utf8=international, cte_type="7bit"))
    message["From"] = sender
    message["To"] = _addresses(inputs.to)
    for name, field in (("Cc", inputs.cc), ("Reply-To", inputs.reply_to)):
        if field:
            message[name] = _addresses(field)
    message["Subject"] = inputs.subject
    message["Date"] = date
    message["Message-ID"] = message_id(key, sender)
    message["Idempotency-Key"] = key
    message["X-Holdfast-Idempotency-Key"] = key
    for name, value in inputs.headers.items():
        message[name] = value.strip()
    _set_content(message, inputs)
    for file in files:
        maintype, _, subtype = _media_type(file).partition("/")
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.filename)
    return message


def _set_content(message: EmailMessage, inputs: EmailSendInputs) -> None:
    html = inputs.body
    if html is None:
        message.set_content(inputs.text or "")
        return
    if has_tags(html):
        made = html_to_text(html)
    else:
        made = html
        html = html.replace("\n", "<br>\n")
    message.set_content(inputs.text if inputs.text is not None else made)
    message.add_alternative(html, subtype="html")


def _addresses(texts: Sequence[str]) -> list[Address]:
    return [_sendable(address) for text in texts for address in parse_addresses(text)]


def _sendable(address: Address) -> Address:
    """The domain in its ASCII form, which every server takes."""
    try:
        domain = address.domain if address.domain.isascii() else address.domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{address.domain!r} is no domain name") from error
    return Address(display_name=address.display_name, username=address.username, domain=domain)


def _media_type(file: File) -> str:
    """Its own type, the one its name suggests, or bytes. Parts that would nest are sent as bytes."""
    given = (file.content_type or "").partition(";")[0].strip().lower()
    kind = given or mimetypes.guess_type(file.filename)[0] or "application/octet-stream"
    return "application/octet-stream" if kind.startswith(("multipart/", "message/")) or "/" not in kind else kind
