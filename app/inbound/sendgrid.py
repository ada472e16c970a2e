"""What SendGrid's inbound parse posts about a mail: its parts as fields of a form, or the mail itself (`email`, "raw").

Names of fields: "Setting up the Inbound Parse Webhook" in SendGrid's documents. `charsets` says how each field's bytes
are to be read; the files of a mail are files of the form.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from app.inbound.mail import File, Mail, date_of, decoded, id_in, ids_in, is_automatic, read_headers, read_mail, text_of
from app.inbound.message import Unreadable, digest
from app.inbound.multipart import Part
from app.json import Json, JsonObject


def read_parse(parts: Sequence[Part], received: datetime) -> Mail:
    """The mail. Raises `Unreadable`."""
    fields = {part.name: part.content for part in parts if part.filename is None}
    raw = fields.get("email") or next((part.content for part in parts if part.name == "email"), None)
    if raw:
        return read_mail(raw, received)
    if "from" not in fields and "headers" not in fields:
        raise Unreadable("a mail has the fields from and headers, or email")
    return _from_fields(fields, parts, received)


def _from_fields(fields: Mapping[str, bytes], parts: Sequence[Part], received: datetime) -> Mail:
    charsets = _json(fields.get("charsets"))

    def field(name: str) -> str | None:
        charset = charsets.get(name)
        return decoded(fields[name], charset if isinstance(charset, str) else "utf-8") if name in fields else None

    header = read_headers(field("headers") or "")
    html, text = field("html"), field("text")
    content = b"\0".join(fields[name] for name in sorted(fields) if name not in ("spam_report", "spam_score"))
    return Mail(
        id=id_in(header("Message-ID")) or digest(content),
        sender=field("from") or header("From"),
        subject=field("subject") or header("Subject"),
        text=text.replace("\r\n", "\n").strip() if text else text_of(html),
        html=html or None,
        at=date_of(header("Date"), received),
        to=field("to") or header("To") or _envelope_to(fields),
        in_reply_to=id_in(header("In-Reply-To")),
        references=ids_in(header("References")),
        files=_files(parts, _json(fields.get("attachment-info"))),
        automatic=is_automatic(header) or _json(fields.get("envelope")).get("from") == "",
    )


def _files(parts: Sequence[Part], told: JsonObject) -> list[File]:
    files: list[File] = []
    for part in parts:
        if part.filename is None:
            continue
        about = told.get(part.name)
        about = about if isinstance(about, dict) else {}
        id = about.get("content-id")
        files.append(
            File(
                name=_text(about.get("filename")) or _text(about.get("name")) or part.filename or None,
                content_type=_text(about.get("type")) or part.content_type.partition(";")[0].strip().lower(),
                size=len(part.content),
                content=part.content,
                content_id=id if isinstance(id, str) else None,
            )
        )
    return files


def _envelope_to(fields: Mapping[str, bytes]) -> str:
    to = _json(fields.get("envelope")).get("to")
    return ", ".join(each for each in to if isinstance(each, str)) if isinstance(to, list) else ""


def _json(content: bytes | None) -> JsonObject:
    try:
        value: Json = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
