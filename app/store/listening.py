"""Who may want an event: subscriptions and open waits, found by their keys where they have one. Plain SQL, since every
event asks. Whether an event does fit is for the services to say.

Rows that say in which fields keys stand come with the others: who asks by digests has guessed those fields, and asks
once more when there are others.
"""

# ruff: noqa: S608  (what is put together are fragments of this module, never values)

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.db.engine import Statement
from app.definition.event_keys import EventKey
from app.json import Json, JsonObject
from app.store.events import of_event, patterns_of


@dataclass(frozen=True, slots=True)
class Heard:
    """A subscription an event may fit."""

    workflow_id: UUID
    position: int
    kind: str
    event: str
    source: str | None
    filter: Json
    options: JsonObject
    key: EventKey | None = None

    @property
    def place(self) -> tuple[UUID, int]:
        """In what order subscriptions are looked at."""
        return self.workflow_id, self.position


@dataclass(frozen=True, slots=True)
class OpenWait:
    """A wait an event may end."""

    run_id: UUID
    path: str
    match: Json
    context: JsonObject
    since: datetime
    until: datetime | None
    workflow_id: UUID
    key: EventKey | None = None

    @property
    def place(self) -> tuple[UUID, str]:
        """In what order waits are looked at."""
        return self.run_id, self.path


def _fields(table: LiteralString) -> LiteralString:
    return f"""
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, fields, NULL
    FROM (SELECT DISTINCT fields FROM fields_of_{table}(%(workspace_id)s, %(patterns)s::text[]) AS fields) AS each
    """


_COLUMNS: LiteralString = "workflow_id, position, kind, event, source, filter, options, key_fields, key_digest"
_OF_WORKFLOW = f"""
    SELECT {_COLUMNS} FROM subscriptions WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
"""
# Through subqueries, so that the plan is the one for values nobody knows: many may have the one address or the other
# source, and what has both is nobody all the same. A second look at the source, for the index has its beginning only.
_SUBSCRIPTIONS = f"""
    SELECT {_COLUMNS} FROM subscriptions
    WHERE workspace_id = %(workspace_id)s
      AND address = ANY(ARRAY(SELECT unnest(%(addresses)s::text[])))
      AND source_key = ANY(ARRAY(SELECT unnest(%(beginnings)s::text[])))
      AND (source IS NULL OR source = ANY(%(sources)s::text[]))
    UNION ALL {_fields("subscriptions")}
"""

# Waits first and by themselves, then the runs they belong to: a planner that knows nothing of either may begin with the
# runs, and look at all waits of each.
_OPEN: LiteralString = """
    SELECT run_id, path, match, context, since, until, key_fields, key_digest
    FROM waits
    WHERE workspace_id = %(workspace_id)s AND closed_at IS NULL AND of_event = ANY(%(events)s::text[])
      AND since <= COALESCE(%(received_at)s, clock_timestamp()) + %(tolerance)s::interval
"""
# Each part by the index; an `or` of them may be a scan of all that wait.
_WAITS = f"""
    WITH open AS MATERIALIZED (
        {_OPEN} AND key_fields IS NULL AND key_digest IS NULL
        UNION ALL
        {_OPEN} AND key_fields = ANY(%(fields)s::text[]) AND key_digest = ANY(%(digests)s::bigint[])
    )
    SELECT run_id, path, match, context, since, until,
           (SELECT workflow_id FROM runs WHERE workspace_id = %(workspace_id)s AND id = open.run_id),
           key_fields, key_digest
    FROM open
    UNION ALL {_fields("waits")}
"""


def subscriptions(workspace_id: UUID, event_type: str, sources: Iterable[str], *, digests: Sequence[int]) -> Statement:
    """Subscriptions that events of this type and these sources may fit: those with one of these keys, and those without
    a key. To be read with `read_subscriptions`."""
    sources, patterns = list(sources), patterns_of(event_type)
    events = [of_event(workspace_id, pattern) for pattern in patterns]
    return Statement(
        _SUBSCRIPTIONS,
        {
            "workspace_id": workspace_id,
            "patterns": patterns,
            "addresses": [*events, *(f"{event} {digest}" for event in events for digest in digests)],
            "sources": sources,
            "beginnings": ["", *(source[:100] for source in sources)],
        },
    )


def of_workflow(workspace_id: UUID, workflow_id: UUID) -> Statement:
    """All subscriptions of a workflow, to be read with `read_subscriptions`."""
    return Statement(_OF_WORKFLOW, {"workspace_id": workspace_id, "workflow_id": workflow_id})


def read_subscriptions(rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[Heard]]:
    """What `subscriptions` gave: the fields that keys stand in, and the subscriptions in the order of their places."""
    fields: list[str] = []
    found: list[Heard] = []
    for *row, key_fields, key_digest in rows:
        if row[0] is None:
            fields.append(key_fields)
        else:
            found.append(Heard(*[*row, _key(key_fields, key_digest)]))
    return fields, sorted(found, key=lambda each: each.place)


def waits(
    workspace_id: UUID,
    event_type: str,
    received_at: datetime | None,
    tolerance: timedelta,
    *,
    fields: Sequence[str],
    digests: Sequence[int],
) -> Statement:
    """Open waits that events of this type, received then at the latest (None: now), may end: those with one of these
    keys, and those without a key. `since` may come that much after. To be read with `read_waits`."""
    patterns = patterns_of(event_type)
    return Statement(
        _WAITS,
        {
            "workspace_id": workspace_id,
            "patterns": patterns,
            "events": [of_event(workspace_id, pattern) for pattern in patterns],
            "fields": list(fields),
            "digests": list(digests),
            "received_at": received_at,
            "tolerance": tolerance,
        },
    )


def read_waits(rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[OpenWait]]:
    """What `waits` gave: the fields that keys stand in, and the waits in the order of runs and paths."""
    fields: list[str] = []
    found: list[OpenWait] = []
    for *row, key_fields, key_digest in rows:
        if row[0] is None:
            fields.append(key_fields)
        else:
            found.append(OpenWait(*[*row, _key(key_fields, key_digest)]))
    return fields, sorted(found, key=lambda wait: wait.place)


def _key(fields: str | None, digest: int | None) -> EventKey | None:
    return None if fields is None or digest is None else EventKey(fields, digest)
