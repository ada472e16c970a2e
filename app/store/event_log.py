"""Queries that read the log of events, newest first. How events come in and what they do is `events.py`.

A page is found by keyset, and each filter but `dispatched` and `text` has an index that ends with the time, so that a
page costs the same however many events there are. Row-level security lets no pattern use an index: which types a
wildcard means is found out first, from each type to the next one, and then each has its own latest events looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    any_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.models import Event, Run, Step
from app.json import JsonObject

IDS_SHOWN = 100
"""Most ids of runs in an item of the list; how many there are stands beside them."""
LOOKED_AT = 20_000
"""Events that a page of a search looks through: their text has no index."""
MANY_TYPES = 500
"""Types in a workspace from which a wildcard is held against each event instead."""
MANY_SOURCES = 20
"""Most sources that are told of an id that several have."""


class Place(NamedTuple):
    """Where an event stands in the log."""

    received_at: datetime
    source: str
    id: str


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events to list; None means any."""

    type: str | None = None
    """Exact, or with a trailing `*` for any rest."""
    source: str | None = None
    subject: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None
    dispatched: bool | None = None
    caused_by: UUID | None = None
    """The run whose step caused them."""
    text: str | None = None
    """In id, type, source, subject or data."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """An event of the list. Of the runs it started and woke there are at most `IDS_SHOWN` ids."""

    source: str
    id: str
    type: str
    subject: str | None
    time: datetime | None
    data: Any
    extensions: JsonObject
    received_at: datetime
    dispatched_at: datetime | None
    caused_by: JsonObject | None
    only_workflow: UUID | None
    started: Sequence[str]
    woke: Sequence[str]
    started_count: int
    woke_count: int

    @property
    def place(self) -> Place:
        return Place(self.received_at, self.source, self.id)


@dataclass(frozen=True, slots=True)
class Touched:
    """A run that an event started or woke."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    status: str


# From each type to the next one in the index: there are few, however many events there are.
_TYPES = text(
    """
    WITH RECURSIVE found (type, place) AS (
        (SELECT type, 1 FROM events WHERE workspace_id = :workspace_id ORDER BY type LIMIT 1)
        UNION ALL
        SELECT (SELECT type FROM events WHERE workspace_id = :workspace_id AND type > found.type
                ORDER BY type LIMIT 1), place + 1
        FROM found WHERE found.type IS NOT NULL AND place <= :most)
    SELECT type FROM found WHERE type IS NOT NULL
    """
)


async def list_(
    session: AsyncSession,
    workspace_id: UUID,
    filter_: EventFilter,
    *,
    after: Place | None,
    limit: int,
    with_data: bool = False,
) -> Sequence[Logged]:
    """Events, newest first. With a text to look for, those among the next `LOOKED_AT` that have it."""
    most = limit if filter_.text is None else LOOKED_AT
    statement = await _newest(
        session, workspace_id, filter_, after, most, with_data=with_data or filter_.text is not None
    )
    if statement is None:
        return []
    if filter_.text is not None:
        looked = statement.subquery()
        matching = select(looked).where(_mentions(looked.c, filter_.text), _hears(looked.c.type, filter_.type))
        statement = matching.order_by(*_order(looked.c)).limit(limit)
    return [_logged(dict(row), with_data=with_data) for row in (await session.execute(statement)).mappings()]


async def looked_until(
    session: AsyncSession, workspace_id: UUID, filter_: EventFilter, *, after: Place | None
) -> Place | None:
    """Where a page of a search ended that looked at as many events as it may; None where there were no more."""
    statement = await _newest(session, workspace_id, filter_, after, LOOKED_AT, with_data=False)
    if statement is None:
        return None
    looked = statement.subquery()
    last = select(looked.c.received_at, looked.c.source, looked.c.id).order_by(*_order(looked.c))
    found = (await session.execute(last.offset(LOOKED_AT - 1).limit(1))).first()
    return None if found is None else Place(*found)


async def of_id(session: AsyncSession, workspace_id: UUID, id: str, source: str | None) -> Sequence[Event]:
    """The events with this id, one for each source that has it, at most `MANY_SOURCES`."""
    statement = select(Event).where(Event.workspace_id == workspace_id, Event.id == id)
    if source is not None:
        statement = statement.where(Event.source == source)
    return (await session.scalars(statement.order_by(Event.source).limit(MANY_SOURCES))).all()


async def touched(session: AsyncSession, workspace_id: UUID, run_ids: Sequence[UUID]) -> Sequence[Touched]:
    """What is still there of these runs, in the order they were asked for."""
    statement = select(Run.id, Run.workflow_id, Run.workflow_name, Run.status).where(
        Run.workspace_id == workspace_id, Run.id == any_(_ids(run_ids))
    )
    return [Touched(*row) for row in await session.execute(statement.order_by(Run.id))]


async def paths_taken(session: AsyncSession, event: Event, run_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The waits of these runs that took the event, as far as the runs have written it down."""
    statement = select(Step.run_id, Step.path).where(
        Step.workspace_id == event.workspace_id,
        Step.run_id == any_(_ids(run_ids)),
        Step.type == "wait_for_event",
        Step.wait.contains({"received": {"source": event.source, "id": event.id}}),
    )
    found: dict[UUID, list[str]] = {}
    for run_id, path in await session.execute(statement.order_by(Step.sequence)):
        found.setdefault(run_id, []).append(path)
    return found


def _ids(run_ids: Sequence[UUID]) -> ColumnElement[Any]:
    """As one value: there may be more than a statement takes values."""
    return literal(list(run_ids), ARRAY(PG_UUID(as_uuid=True)))


async def _newest(
    session: AsyncSession,
    workspace_id: UUID,
    filter_: EventFilter,
    after: Place | None,
    limit: int,
    *,
    with_data: bool,
) -> Select[Any] | None:
    """The newest events that all filters leave but the text, and with a text a wildcard; None where it is known that
    there are none."""
    columns = _columns(with_data=with_data)
    statement = select(*columns).where(Event.workspace_id == workspace_id, *_conditions(filter_, after))
    type_ = filter_.type
    if type_ is None or type_ == "*":
        return statement.order_by(*_order(Event)).limit(limit)
    if not type_.endswith("*"):
        return statement.where(Event.type == type_).order_by(*_order(Event)).limit(limit)
    if filter_.text is not None:
        # It looks at so many events of whatever type: so many of each type would be very many.
        return statement.order_by(*_order(Event)).limit(limit)
    types = (await session.scalars(_TYPES, {"workspace_id": workspace_id, "most": MANY_TYPES})).all()
    if len(types) > MANY_TYPES:
        return statement.where(_hears(_column(Event.type), type_)).order_by(*_order(Event)).limit(limit)
    heard = [each for each in types if each.startswith(type_[:-1])]
    if not heard:
        return None
    each = select(func.unnest(literal(heard, ARRAY(Text))).label("type")).subquery("heard")
    latest = statement.where(Event.type == each.c.type).order_by(*_order(Event)).limit(limit).lateral("latest")
    return select(latest).select_from(each.join(latest, true())).order_by(*_order(latest.c)).limit(limit)


def _columns(*, with_data: bool) -> list[ColumnElement[Any]]:
    plain = (
        *(Event.source, Event.id, Event.type, Event.subject, Event.time, Event.extensions, Event.received_at),
        *(Event.dispatched_at, Event.caused_by, Event.only_workflow),
    )
    return [
        *map(_column, plain),
        _column(Event.data) if with_data else null().label("data"),
        Event.started[1:IDS_SHOWN].label("started"),
        Event.woke[1:IDS_SHOWN].label("woke"),
        func.cardinality(Event.started).label("started_count"),
        func.cardinality(Event.woke).label("woke_count"),
    ]


def _column(attribute: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    found: ColumnElement[Any] = attribute.__clause_element__()
    return found


def _conditions(filter_: EventFilter, after: Place | None) -> list[ColumnElement[bool]]:
    """All but the type and the text."""
    found: list[ColumnElement[bool]] = []
    if filter_.source is not None:
        found.append(Event.source == filter_.source)
    if filter_.subject is not None:
        found.append(Event.subject == filter_.subject)
    if filter_.caused_by is not None:
        found.append(Event.caused_by_run == str(filter_.caused_by))
    if filter_.received_after is not None:
        found.append(Event.received_at >= filter_.received_after)
    if filter_.received_before is not None:
        found.append(Event.received_at < filter_.received_before)
    if filter_.dispatched is not None:
        found.append(Event.dispatched_at.is_not(None) if filter_.dispatched else Event.dispatched_at.is_(None))
    if after is not None:
        # The time alone goes to the index; the rest tells those apart that came in the same moment.
        found.append(Event.received_at <= after.received_at)
        found.append(tuple_(Event.received_at, Event.source, Event.id) < tuple_(*map(literal, after)))
    return found


def _order(columns: Any) -> list[ColumnElement[Any]]:
    return [columns.received_at.desc(), columns.source.desc(), columns.id.desc()]


def _mentions(columns: Any, wanted: str) -> ColumnElement[bool]:
    texts = (columns.id, columns.type, columns.source, columns.subject, cast(columns.data, Text))
    return or_(*(each.icontains(wanted, autoescape=True) for each in texts))


def _hears(column: ColumnElement[str], pattern: str | None) -> ColumnElement[bool]:
    """Whether a wildcard means the type; true for what is none."""
    is_wildcard = pattern is not None and pattern.endswith("*")
    return column.startswith(pattern[:-1], autoescape=True) if pattern and is_wildcard else true()


def _logged(row: JsonObject, *, with_data: bool) -> Logged:
    return Logged(**{**row, "data": row["data"] if with_data else None})
