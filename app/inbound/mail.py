"""A mail (RFC 5322) as a message: who wrote, what about, the words and the files. Where it was fetched is not said.

Mails come from anywhere: whatever is wrong with one costs that part of it, nothing else. Every mail becomes a message.
"""

import base64
import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime
from functools import partial
from itertools import filterfalse, islice

from app.inbound.html_text import html_to_text
from app.inbound.message import Message as Received
from app.inbound.message import digest, moment
from app.json import Json, JsonObject

MOST_FILES = 100
"""Files of one mail that are told of."""
MOST_HEADER = 10_000
"""Characters of one header."""
MOST_ABOUT_CONTENT = 2_000
"""The same of those that tell of a part's content: there may be thousands, and their parameters cost most to read."""
MOST_HEAD = 500_000
"""Bytes of all headers of a mail."""
MOST_PARTS = 5_000
MOST_LINES = 5_000_000
"""Lines times the parts that may hold parts: some seconds of reading."""
MOST_HTML = 200_000
"""Characters of HTML that are read for their text: what is beyond is no letter."""

_BESIDE_THE_POINT = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Character sets of Python's that no mail is written in; one takes the square of a text's length."""
_PRECEDENCES = frozenset({"auto_reply", "bulk", "junk", "list"})
_OF_PROGRAMS = ("List-Id", "X-Autoreply", "X-Autorespond", "X-Holdfast-Idempotency-Key")
_BASE64 = 4
"""Characters that three bytes become."""
_LONGEST_ADDRESS = 320
_LONGEST_NAME = 255
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n|\r\r")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"|\([^()]*+\)')
_ID = re.compile(r"<[^<>\s]{1,900}>")


@dataclass(frozen=True)
class File:
    """Something attached. `content` None: it was too large to come along."""

    name: str | None
    content_type: str
    size: int
    content: bytes | None
    content_id: str | None = None

    def as_json(self) -> JsonObject:
        """Content as base64."""
        return {
            "name": self.name and self.name[:_LONGEST_NAME],
            "content_type": self.content_type[:_LONGEST_NAME],
            "size": self.size,
            "content_id": self.content_id,
            "content": None if self.content is None else base64.b64encode(self.content).decode(),
        }


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The parts of a mail. `id` is its Message-ID, or a digest of it where it has none; `sender` the header as it is
    written, since a name in encoded words may look like an address."""

    id: str
    sender: str
    subject: str
    text: str
    html: str | None
    at: datetime
    to: str
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    files: Sequence[File] = ()
    truncated: bool = False
    automatic: bool = False

    def message(self, limit: int) -> Received:
        """The message; its data is kept below `limit` bytes of JSON by leaving out what is largest."""
        name, address = _address(self.sender)
        data: JsonObject = {
            "email_from": address,
            "email_subject": self.subject,
            "email_body": self.text,
            "email_timestamp": moment(self.at),
            "message_id": self.id,
            "to": self.to,
            "profile_name": name,
            "html": self.html,
            "in_reply_to": self.in_reply_to,
            "references": list(self.references),
            "attachments": [],
            "truncated": self.truncated,
            "automatic": self.automatic,
        }
        _fit(data, self.files, limit)
        return Received(channel="email", id=self.id, contact=address or None, at=self.at, data=data)


def read_mail(raw: bytes, received: datetime, *, truncated: bool = False) -> Mail:
    """The mail. `truncated`: these are only its first bytes. One that cannot be read is its own only file."""
    try:
        return _read(raw, received, truncated=truncated)
    except Exception:
        whole = File("message.eml", "message/rfc822", len(raw), raw)
        return Mail(id=digest(raw), sender="", subject="", text="", html=None, at=received, to="", files=[whole])


def _read(raw: bytes, received: datetime, *, truncated: bool) -> Mail:
    parsed = _parsed(raw)
    text, html = _bodies(parsed)
    return Mail(
        id=id_in(_header(parsed, "Message-ID")) or digest(raw),
        sender=_header(parsed, "From"),
        subject=_words_of(_header(parsed, "Subject")),
        text=text if text is not None else text_of(html),
        html=html,
        at=date_of(_header(parsed, "Date"), received),
        to=_words_of(_header(parsed, "To")),
        in_reply_to=id_in(_header(parsed, "In-Reply-To")),
        references=ids_in(_header(parsed, "References")),
        files=_files(parsed),
        truncated=truncated,
        automatic=is_automatic(partial(_header, parsed)),
    )


def read_headers(text: str) -> Callable[[str], str]:
    """Headers that stand by themselves, as a function from name to value; an absent one is empty."""
    end = b"\r\n\r\n"
    parsed = _parsed(text.encode(errors="replace")[: MOST_HEAD - len(end)] + end)
    return lambda name: _words_of(_header(parsed, name))


def is_automatic(header: Callable[[str], str]) -> bool:
    """Whether a program wrote, or a list passed it on: who answers such a mail by program (RFC 3834, section 2) may be
    answered by one, for ever. What was sent from here is such a mail."""
    return (
        header("Auto-Submitted").partition(";")[0].strip().lower() not in ("", "no")
        or header("Precedence").strip().lower() in _PRECEDENCES
        or header("X-Auto-Response-Suppress").strip().lower() not in ("", "none")
        or header("Return-Path").strip() == "<>"
        or header("Content-Type").lower().startswith("multipart/report")
        or any(header(name) for name in _OF_PROGRAMS)
    )


def id_in(header: str) -> str | None:
    """The first Message-ID in a header's value."""
    return next(iter(ids_in(header)), None)


def ids_in(header: str) -> list[str]:
    """The Message-IDs in a header's value, at most a hundred."""
    return _ID.findall(header)[:MOST_FILES]


def date_of(header: str, received: datetime) -> datetime:
    """When a mail says that it was written, if it can be believed: never after it came in."""
    try:
        written = parsedate_to_datetime(header)
        written = written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return received
    return min(written, received)


def text_of(html: str | None) -> str:
    """What HTML says, as text."""
    return html_to_text(html[:MOST_HTML]) if html else ""


class _Plain(Compat32):
    """Headers as texts of bounded length: what makes sense of them may take the square of it."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        most = MOST_ABOUT_CONTENT if name.lower().startswith("content-") else MOST_HEADER
        return decoded(value[:most].encode("utf-8", errors="surrogateescape"), "utf-8")


_PLAIN = _Plain()


def _parsed(raw: bytes) -> Message:
    """The mail. Of one that is made to keep the parser busy, which pays for each line at each level, the head alone;
    raises `ValueError` when that is endless too."""
    if not _HEAD_ENDS.search(raw, 0, MOST_HEAD) and len(raw) > MOST_HEAD:
        raise ValueError("the head has no end")
    levels = raw.lower().count(b"multipart/") + 1
    endless = raw.count(b"\n") * levels > MOST_LINES or raw.count(b"\n--") > MOST_PARTS
    return BytesParser(policy=_PLAIN).parsebytes(raw, headersonly=endless)


def _header(message: Message, name: str) -> str:
    """The header on one line, as it is written."""
    return " ".join(str(message.get(name, "")).split())


def _words_of(value: str) -> str:
    """A header's text with its encoded words (RFC 2047) decoded; as it stands where they cannot be."""
    if "=?" in value:
        with suppress(Exception):
            value = str(make_header(decode_header(value)))
    return " ".join(value.split())


def _address(header: str) -> tuple[str | None, str]:
    """Name and address of whoever wrote; the address in lower case, so that it is the same in every mail."""
    try:
        found = getaddresses([header[:MOST_HEADER]])
    except RecursionError:  # comments in comments
        return None, ""
    written = [(name, address) for name, address in found if "@" in address]
    # `a@b.example <c@d.example>` is one mailbox whose name lacks its quotes, and not what a@b.example wrote.
    bare = _QUOTED.sub("", header)
    pointed = (each for each in written if f"<{each[1]}>" in bare)
    name, address = next(pointed, written[0] if written else ("", ""))
    name, address = _words_of(name), address.strip().lower()
    return name[:_LONGEST_NAME] or None, address if len(address) <= _LONGEST_ADDRESS else ""


def _parts(message: Message) -> Iterator[Message]:
    """What the mail holds, without what a mail inside it holds."""
    pending = [message]
    while pending:
        part = pending.pop()
        inner = part.get_payload() if part.is_multipart() else None
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            pending += [each for each in reversed(inner) if isinstance(each, Message)]
        else:
            yield part


def _is_shown(part: Message) -> bool:
    return part.get_content_type() in ("text/plain", "text/html") and _disposition(part) != "attachment"


def _bodies(message: Message) -> tuple[str | None, str | None]:
    """The text and the HTML that are shown, each None when there is none."""
    found: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in islice(filter(_is_shown, _parts(message)), MOST_FILES):
        found[part.get_content_type()].append(_words(part))
    text, html = ("\n".join(words).replace("\r\n", "\n") if words else None for words in found.values())
    return None if text is None else text.strip(), html


def _files(message: Message) -> list[File]:
    return [_file(part) for part in islice(filterfalse(_is_shown, _parts(message)), MOST_FILES)]


def _file(part: Message) -> File:
    content = _nested(part) if part.get_content_maintype() == "message" else _content(part)
    return File(_file_name(part), part.get_content_type(), len(content), content, id_in(_header(part, "Content-ID")))


def _disposition(part: Message) -> str | None:
    try:
        return part.get_content_disposition()
    except Exception:
        return None


def _file_name(part: Message) -> str | None:
    try:
        name = part.get_filename()
    except Exception:
        return None
    return _words_of(name) if name else None


def _nested(part: Message) -> bytes:
    inner = part.get_payload()
    try:
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], Message) else b""
    except Exception:
        return b""


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _words(part: Message) -> str:
    """The text of a part, in the character set it says, or as well as it can be read."""
    content = _content(part)
    charset = part.get_content_charset() or "utf-8"
    return decoded(content, charset)


def decoded(content: bytes, charset: str) -> str:
    """Bytes as text. An unknown character set is taken for UTF-8, and what is wrong is replaced."""
    try:
        if codecs.lookup(charset).name.replace("_", "-") in _BESIDE_THE_POINT:
            charset = "utf-8"
        return content.decode(charset, errors="replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", errors="replace")


def _fit(data: JsonObject, files: Sequence[File], limit: int) -> None:
    """Put the files in and keep everything below the limit: the largest files go without their content first, then HTML
    that has a text, then the end of the text."""
    data["attachments"] = told = [replace(file, content=None).as_json() for file in files]
    room = limit - _size(data)
    for place, file in sorted(enumerate(files), key=lambda each: each[1].size):
        room -= _BASE64 * file.size // 3 + _BASE64
        if room < 0:
            break
        told[place] = file.as_json()
    if _size(data) > limit and data["html"]:
        data["html"], data["truncated"] = None, True
    if (over := _size(data) - limit) > 0:
        data["truncated"] = True
        _shorten(data, over)


def _shorten(data: JsonObject, over: int) -> None:
    """Halve texts and lists until that many bytes are gone."""
    for name in ("email_body", "references", "attachments", "to", "email_subject"):
        while data[name] and over > 0:
            before = _size(data[name])
            data[name] = data[name][: len(data[name]) // 2]
            over -= before - _size(data[name])


def _size(value: Json) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
