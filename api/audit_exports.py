"""The audit log as files: CSV (RFC 4180) for spreadsheets, JSON lines for programs, one entry a line, as they are sent.

A spreadsheet takes a cell that begins with `=` and the like for a formula, and names are whatever somebody gave: such a
cell gets a `'` in front. One that is set to other separators begins cells of its own after `;`, tabs and line breaks:
there it stands as well, and every cell is quoted (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType

from api.schemas.audit import AuditActorAnswer, AuditEntryAnswer, AuditTargetAnswer, Format
from app.db.models import AuditEntry
from app.definition.durations import format_moment

COLUMNS = (
    "id", "at", "actor_kind", "actor_id", "actor_name", "action", "target_type", "target_id", "target_name", "outcome",
    "address", "user_agent", "request_id", "before", "after",
)  # fmt: skip
MEDIA_TYPES: Mapping[Format, str] = MappingProxyType(
    {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl"}
)
_FORMULA = re.compile(r"""\A(?=[\t\r\n])|(?:\A|[;\t\r\n]"*)(?=[=+\-@＝＋－＠])""")
"""What a `'` is put behind."""


def answer_of(entry: AuditEntry) -> AuditEntryAnswer:
    """The entry as the API answers it."""
    return AuditEntryAnswer(
        id=entry.id,
        at=entry.at,
        actor=AuditActorAnswer.model_validate(
            {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name}
        ),
        action=entry.action,
        target=AuditTargetAnswer(type=entry.target_type, id=entry.target_id, name=entry.target_name),
        outcome="refused" if entry.outcome == "refused" else "done",
        address=entry.address,
        user_agent=entry.user_agent,
        request_id=entry.request_id,
        before=entry.before,
        after=entry.after,
    )


async def written(
    format: Format, first: Sequence[AuditEntry], rest: AsyncIterator[Sequence[AuditEntry]]
) -> AsyncIterator[str]:
    """The file in pieces: `first`, then `rest` as it comes."""
    if format == "csv":
        yield _csv([COLUMNS])
    lines = _LINES[format]
    yield lines(first)
    async for entries in rest:
        yield lines(entries)


def _csv_lines(entries: Sequence[AuditEntry]) -> str:
    return _csv([[_cell(_value(entry, column)) for column in COLUMNS] for entry in entries])


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def _value(entry: AuditEntry, column: str) -> str:
    value = getattr(entry, column)
    if column == "at":
        return format_moment(entry.at)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _cell(text: str) -> str:
    return _FORMULA.sub(r"\g<0>'", text)


def _json_lines(entries: Sequence[AuditEntry]) -> str:
    return "".join(answer_of(entry).model_dump_json() + "\n" for entry in entries)


_LINES: Mapping[Format, Callable[[Sequence[AuditEntry]], str]] = MappingProxyType(
    {"csv": _csv_lines, "jsonl": _json_lines}
)
