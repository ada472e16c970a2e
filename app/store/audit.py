"""The audit log's statements: adding an entry, reading them newest first, deleting those that are kept no longer.

Each filter has an index that ends with the id, which is the order of time as well: one that leaves few entries, or
none, is no walk through the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import AuditEntry
from app.db.values import clean_text
from app.json import JsonObject

_LAST_ID = (1 << 128) - 1

# The entry is of the workspace whose transaction it is written in: there is none it could be mistaken for.
_ADD: LiteralString = """
    INSERT INTO audit_log (
        workspace_id, id, at, actor_kind, actor_id, actor_name, action, target_type, target_id, target_name,
        address, user_agent, request_id, before, after, outcome)
    SELECT NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid, %(id)s, %(at)s, %(actor_kind)s,
           %(actor_id)s, %(actor_name)s, %(action)s, %(target_type)s, %(target_id)s, %(target_name)s,
           %(address)s, %(user_agent)s, %(request_id)s, %(before)s, %(after)s, %(outcome)s
"""
_MADE: dict[str, LiteralString] = {
    "run": """
        WHERE EXISTS (
            SELECT FROM runs
            WHERE workspace_id = current_setting('holdfast.workspace_id')::uuid AND id = %(made)s::uuid)
    """,
    "delivery": """
        WHERE EXISTS (
            SELECT FROM deliveries
            WHERE workspace_id = current_setting('holdfast.workspace_id')::uuid AND id = %(made)s::uuid)
    """,
    # The event may be there from an earlier request with the same key: what counts is whether this transaction made it.
    "event": """
        WHERE EXISTS (
            SELECT FROM events
            WHERE workspace_id = current_setting('holdfast.workspace_id')::uuid AND id = %(made)s
              AND xmin = pg_current_xact_id()::xid)
    """,
}

_PURGE = "SELECT purge_audit_log(%(days)s::integer, %(most)s::integer)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the log, but for its workspace, which is the transaction's."""

    id: UUID
    actor_kind: str
    actor_id: str | None
    actor_name: str
    action: str
    target_type: str
    target_id: str | None
    target_name: str | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    before: JsonObject | None
    after: JsonObject | None
    outcome: str = "done"


_FIELDS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Made:
    """What the transaction makes, if it makes it: a `run`, a `delivery` or an `event` of this id."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None means any. `actions` are those that may be."""

    actor: str | None = None
    actor_kind: str | None = None
    actions: Sequence[str] | None = None
    target_type: str | None = None
    target_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    """Then or later."""
    until: datetime | None = None
    """Earlier than that."""


def add(entry: Entry, made: Made | None = None) -> Statement:
    """Add the entry; with `made` only if that was made before it in the same transaction."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in _FIELDS}
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = clean_text(value)
        elif isinstance(value, dict):
            row[name] = Jsonb(value)
    row["at"] = moment_of(entry.id)
    if made is None:
        return Statement(_ADD, row)
    return Statement(_ADD + _MADE[made.kind], {**row, "made": made.id})


async def list_(
    session: AsyncSession, workspace_id: UUID, filter_: AuditFilter, *, before: UUID | None, limit: int
) -> Sequence[AuditEntry]:
    """Entries, newest first; `before` is the id of the last one of the page before."""
    statement = _matching(workspace_id, filter_)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return (await session.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit))).all()


def purge(days: int, most: int) -> Statement:
    """Delete some of the oldest entries if they are older than so many days (30 at least): one row `(how many,)`."""
    return Statement(_PURGE, {"days": days, "most": most})


def moment_of(id: UUID) -> datetime:
    """When an id of version 7 was made, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=id.int >> 80)


def _matching(workspace_id: UUID, filter_: AuditFilter) -> Select[AuditEntry]:
    statement = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    if filter_.actor is not None:
        statement = statement.where(AuditEntry.actor_id == filter_.actor)
    if filter_.actions is not None:
        statement = statement.where(AuditEntry.action.in_(filter_.actions))
    if filter_.since is not None:
        statement = statement.where(AuditEntry.id >= _first_id(filter_.since))
    if filter_.until is not None:
        statement = statement.where(AuditEntry.id < _first_id(filter_.until))
    for column in (AuditEntry.actor_kind, AuditEntry.target_type, AuditEntry.target_id, AuditEntry.outcome):
        value = getattr(filter_, column.key)
        if value is not None:
            statement = statement.where(column == value)
    return statement


def _first_id(moment: datetime) -> UUID:
    """Lower than all ids that were made in this millisecond or later, a part of one counting as the whole next one."""
    millis = -((datetime.fromtimestamp(0, UTC) - moment) // timedelta(milliseconds=1))
    return UUID(int=min(max(millis, 0) << 80, _LAST_ID))
