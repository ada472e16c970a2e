"""Looks for texts in all that is kept of a run, read as somebody would who has the tables and Temporal's histories:
what is compressed is inflated, what is packed into another message is unpacked, and usual spellings are undone.

What cannot be read is an error, not a place where nothing was found.
"""

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import psycopg
from google.protobuf.message import Message
from psycopg import sql
from temporalio.api.common.v1 import Payload

from app.services.actors import NO_WORKSPACE
from app.temporal.codec import COMPRESSED, ENCRYPTED, decoded
from tests.support.executions import Execution

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}")
_URLSAFE = str.maketrans("-_", "+/")


class Haystack:
    """A text to look for others in: as they are, in URLs, in JSON, and in base64."""

    def __init__(self, text: str) -> None:
        plain = text.replace("\\/", "/")
        self._texts = (text, plain, unquote(plain), *_from_base64(text))

    def __contains__(self, wanted: str) -> bool:
        return any(wanted in text for text in self._texts)


def _from_base64(text: str) -> Iterator[str]:
    """What the text would be from each of the four places where base64 in it may begin."""
    for chunk in _BASE64.findall(text):
        for skipped in range(4):
            part = chunk[skipped : skipped + (len(chunk) - skipped) // 4 * 4].translate(_URLSAFE)
            yield base64.b64decode(part).decode(errors="replace")


def history_text(executions: Iterable[Execution]) -> str:
    """All events of the executions, each with every payload in it as it was before it was written."""
    return "\n".join(event_text(event) for each in executions for event in each.history.events)


def event_text(event: Message) -> str:
    """An event of a history, with its payloads once more as they were before they were written."""
    return "\n".join([str(event), *(payload_text(found) for found in payloads_in(event))])


def payloads_in(message: Message) -> Iterator[Payload]:
    """Every payload in a message, however deep it stands."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            parts: Iterable[Any] = value.values()
        else:
            parts = [value] if isinstance(value, Message) else value
        for part in parts:
            if isinstance(part, Message):
                yield from payloads_in(part)


def payload_text(payload: Payload) -> str:
    """A payload of Temporal as text: inflated, and read."""
    plain = decoded(payload, None)
    assert plain.metadata["encoding"] not in (COMPRESSED, ENCRYPTED), "a payload that the search cannot read"
    return "\n".join([*(value.decode() for value in plain.metadata.values()), plain.data.decode()])


def _stored_text(data: bytes) -> str:
    return payload_text(Payload.FromString(zlib.decompress(data)))


READ: Mapping[str, Callable[[bytes], str]] = {
    "payloads.payload": _stored_text,
    "deliveries.body": lambda data: data.decode(errors="replace"),
}
"""How columns are read that hold bytes."""

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
_OWNED = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'workspace_id'"
)


def table_texts(url: str, workspace_id: UUID) -> dict[str, str]:
    """Rows of all tables by `table.column`, as the owner of the tables at this libpq URL sees them: the workspace's,
    the platform's own, and all of a table that belongs to no workspace."""
    found: dict[str, str] = {}
    with psycopg.connect(url) as connection:
        # Fails rather than leave rows out.
        connection.execute("SET row_security = off")
        owned = {name for (name,) in connection.execute(_OWNED)}
        for (table,) in connection.execute(_TABLES).fetchall():
            own = sql.SQL("WHERE workspace_id = ANY(%s)" if table in owned else "WHERE %s::uuid[] IS NOT NULL")
            query = sql.SQL("SELECT * FROM {} {}").format(sql.Identifier(table), own)
            rows = connection.execute(query, [[workspace_id, NO_WORKSPACE]])
            names = [f"{table}.{column.name}" for column in rows.description or ()]
            columns = zip(names, zip(*rows.fetchall(), strict=True), strict=False)
            found |= {name: "\n".join(_value_text(name, value) for value in values) for name, values in columns}
    return found


def _value_text(column: str, value: Any) -> str:
    if isinstance(value, bytes):
        return READ[column](value)
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
