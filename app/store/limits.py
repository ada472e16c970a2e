"""Queries that count a workflow's runs against its limits, queue them and let them in. What is allowed is not known.

A place of a concurrency key is taken by each run that has the key, has not ended and is not in the queue for a place:
that a run ends is what gives its place back.

By the hour runs are let in under numbers without end: each when the run that is a whole hour's runs before it began an
hour ago, which is found by its number, and nothing is counted. One that was let in and has not begun, for Temporal is
away, holds up its successor; one that never will does not. Any runs that begin within an hour differ then in their
number's remainder by `per_hour`, so that they are no more than that, in whatever order they begin.

Whoever decides by what these find holds `lock` until the transaction ends.
"""

# ruff: noqa: S608  (what is put together are fragments of this module, never values)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run
from app.json import Json, JsonObject

HOUR = timedelta(hours=1)

_OF_WORKFLOW = "workspace_id = :workspace_id AND workflow_id = :workflow_id"
_PLACES = f"""
    {_OF_WORKFLOW} AND concurrency_key IS NOT NULL AND finished_at IS NULL AND (queue IS NULL OR queue = 'rate')
"""
_TAKEN = f"SELECT FROM runs WHERE {_PLACES} AND concurrency_key = :key ORDER BY id LIMIT :places"
"""At most as many rows as there are places. With an order the planner takes the index, where it would scan the table
for the first of many it expects; so everywhere here."""
_QUEUED = f"{_OF_WORKFLOW} AND queue = 'concurrency'"
_DELAYED = f"{_OF_WORKFLOW} AND queue = 'rate'"
_LAST = f"""
    COALESCE((SELECT rate_number FROM runs WHERE {_OF_WORKFLOW} AND rate_number IS NOT NULL
              ORDER BY rate_number DESC LIMIT 1), 0)
"""

_COUNTED = "(started_at IS NOT NULL OR finished_at IS NULL)"
"""Of runs with a number those that began or still may."""
_FOLLOWS = f"""
    (SELECT COALESCE(started_at, clock_timestamp()) + :hour FROM runs
     WHERE {_OF_WORKFLOW} AND rate_number = last.number + 1 - :per_hour AND {_COUNTED} LIMIT 1)
"""
"""When the hour takes the next run; null: it always did. A run that is about to begin begins now, or later."""

_COUNTS = text(
    f"""
    WITH last AS MATERIALIZED (SELECT {_LAST} AS number)
    SELECT
        clock_timestamp(),
        (SELECT count(*) FROM ({_TAKEN}) AS taken),
        (SELECT true FROM runs WHERE {_QUEUED} AND concurrency_key = :key
         ORDER BY id LIMIT 1) IS NOT NULL,
        last.number,
        {_FOLLOWS},
        (SELECT true FROM runs WHERE {_DELAYED} ORDER BY id LIMIT 1) IS NOT NULL
    FROM last
    """
)

_OPENS = text(
    f"""
    WITH last AS MATERIALIZED (SELECT {_LAST} AS number)
    SELECT {_FOLLOWS} FROM last
    """
)

# A run that is cancelled at this moment is left out: its own change is seen when its row is locked. Rows are named by
# an array, for PostgreSQL has no idea how few they are and would join them with the whole queue.
_GIVE_PLACES = text(
    f"""
    UPDATE runs SET queue = CASE WHEN :rated THEN 'rate' END,
                    waiting_for = CASE WHEN :rated THEN CAST(:waiting AS jsonb) END, updated_at = now()
    WHERE workspace_id = :workspace_id AND queue = 'concurrency' AND id = ANY(ARRAY(
        SELECT id FROM runs WHERE {_QUEUED} AND concurrency_key = :key ORDER BY id
        LIMIT LEAST(:most, GREATEST(0, :places - (SELECT count(*) FROM ({_TAKEN}) AS taken)))))
    RETURNING *
    """
)

# The next numbers up to the first for which the run a whole hour's runs before is there and not yet an hour old.
_LET_IN = text(
    f"""
    WITH last AS MATERIALIZED (SELECT {_LAST} AS number),
    free AS MATERIALIZED (
        SELECT COALESCE(min(place) - 1, LEAST(:most, :per_hour)) AS runs
        FROM last CROSS JOIN generate_series(1, LEAST(:most, :per_hour)) AS place
        WHERE (
            SELECT true FROM runs WHERE {_OF_WORKFLOW} AND rate_number = last.number + place - :per_hour
            AND {_COUNTED} AND (started_at IS NULL OR started_at > clock_timestamp() - :hour) LIMIT 1)),
    next AS MATERIALIZED (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM (
            SELECT id FROM runs WHERE {_DELAYED} ORDER BY id LIMIT (SELECT runs FROM free)) AS waiting)
    UPDATE runs SET queue = NULL, waiting_for = NULL, updated_at = now(),
                    rate_number = last.number + next.place
    FROM last, next
    WHERE runs.workspace_id = :workspace_id AND runs.id = ANY(ARRAY(SELECT id FROM next)) AND runs.id = next.id
      AND runs.queue = 'rate'
    RETURNING runs.*
    """
)
_LET_ALL_IN = text(
    f"""
    UPDATE runs SET queue = NULL, waiting_for = NULL, updated_at = now()
    WHERE workspace_id = :workspace_id AND queue = 'rate'
      AND id = ANY(ARRAY(SELECT id FROM runs WHERE {_DELAYED} ORDER BY id LIMIT :most))
    RETURNING *
    """
)

# Those that have not begun end here; those that have are to be cancelled, each once.
_REPLACE = text(
    f"""
    WITH older AS MATERIALIZED (
        SELECT id FROM (
            SELECT id FROM runs WHERE {_PLACES} AND concurrency_key = :key
            UNION ALL
            SELECT id FROM runs WHERE {_QUEUED} AND concurrency_key = :key) AS every
        WHERE id <> :id ORDER BY id DESC OFFSET :stay)
    UPDATE runs SET
        status = CASE WHEN queue IS NULL THEN status ELSE 'cancelled' END,
        error = CASE WHEN queue IS NULL THEN error ELSE CAST(:error AS jsonb) END,
        waiting_for = CASE WHEN queue IS NULL THEN waiting_for END,
        finished_at = CASE WHEN queue IS NULL THEN finished_at ELSE now() END,
        cancel_due = cancel_due OR (queue IS NULL AND replaced_by IS NULL),
        replaced_by = COALESCE(replaced_by, :id), queue = NULL, updated_at = now()
    WHERE workspace_id = :workspace_id AND id = ANY(ARRAY(SELECT id FROM older)) AND finished_at IS NULL
    """
)

_END_QUEUED = text(
    f"""
    UPDATE runs SET status = 'cancelled', error = CAST(:error AS jsonb), waiting_for = NULL, queue = NULL,
                    finished_at = now(), updated_at = now()
    WHERE {_OF_WORKFLOW} AND id = ANY(:ids) AND queue IS NOT NULL
    RETURNING *
    """
)

# Each step of these is one look into an index, however many runs there are of a workflow or a key.
_QUEUES = text(
    """
    WITH RECURSIVE waiting(workflow_id) AS (
        SELECT LEAST(
            (SELECT workflow_id FROM runs WHERE workspace_id = :workspace_id AND queue = 'concurrency'
             ORDER BY workflow_id, concurrency_key, id LIMIT 1),
            (SELECT workflow_id FROM runs WHERE workspace_id = :workspace_id AND queue = 'rate'
             ORDER BY workflow_id, id LIMIT 1))
        UNION ALL
        SELECT LEAST(
            (SELECT workflow_id FROM runs WHERE workspace_id = :workspace_id AND queue = 'concurrency'
             AND workflow_id > waiting.workflow_id ORDER BY workflow_id, concurrency_key, id LIMIT 1),
            (SELECT workflow_id FROM runs WHERE workspace_id = :workspace_id AND queue = 'rate'
             AND workflow_id > waiting.workflow_id ORDER BY workflow_id, id LIMIT 1))
        FROM waiting WHERE waiting.workflow_id IS NOT NULL)
    SELECT workflow_id FROM waiting WHERE workflow_id IS NOT NULL
    """
)
_FREE_KEYS = text(
    f"""
    WITH RECURSIVE waiting(key) AS (
        (SELECT concurrency_key FROM runs WHERE {_QUEUED} ORDER BY concurrency_key, id LIMIT 1)
        UNION ALL
        SELECT (SELECT concurrency_key FROM runs WHERE {_QUEUED} AND concurrency_key > waiting.key
                ORDER BY concurrency_key, id LIMIT 1)
        FROM waiting WHERE waiting.key IS NOT NULL)
    SELECT key FROM waiting
    CROSS JOIN LATERAL (SELECT CASE WHEN starts_with(key, :one_by_one) THEN 1 ELSE :places END AS places) AS own
    WHERE key IS NOT NULL AND own.places > (
        SELECT count(*) FROM (
            SELECT FROM runs WHERE {_PLACES} AND concurrency_key = key ORDER BY id LIMIT own.places) AS taken)
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How a workflow's limits stand, for one key."""

    now: datetime
    taken: int
    """Places of the key, counted up to those there are."""
    queued: bool
    """Others wait for a place of the key."""
    last_number: int
    """Of the run that was let in last."""
    opens: datetime | None
    """When the hour takes the next run, or took it; None: it always did."""
    delayed: bool
    """Others wait for the hour."""

    @property
    def hour_is_full(self) -> bool:
        """The hour takes no run now."""
        return self.opens is not None and self.opens > self.now


async def lock(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> None:
    """Until the transaction ends nobody else decides about runs of the workflow.

    Taken before any row that others change under it, and as late as can be: all starts of the workflow wait for it.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"holdfast limits {workspace_id} {workflow_id}"},
    )


async def counts(session: AsyncSession, run: Run, *, places: int, per_hour: int | None) -> Counts:
    """How the limits stand for this run, which is not inserted yet."""
    found = await session.execute(
        _COUNTS, {**_of(run), "key": run.concurrency_key, "places": places, "per_hour": per_hour, "hour": HOUR}
    )
    return Counts(*found.one())


async def with_once_key(session: AsyncSession, run: Run) -> Run | None:
    """The workflow's run that has this run's `once_key`."""
    return await session.scalar(
        select(Run).where(
            Run.workspace_id == run.workspace_id, Run.workflow_id == run.workflow_id, Run.once_key == run.once_key
        )
    )


async def replace(session: AsyncSession, run: Run, *, places: int, error: JsonObject) -> None:
    """Of the runs with this one's key only the `places` youngest stay, this one among them.

    Those that wait end with `error`, those that were let in are noted as to be cancelled.
    """
    await session.execute(
        _REPLACE,
        {**_of(run), "id": run.id, "key": run.concurrency_key, "stay": places - 1, "error": Jsonb(error)},
    )


async def queued_in(session: AsyncSession, workspace_id: UUID, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """The workflows of those of these runs that wait to be let in."""
    statement = select(Run.workflow_id).distinct().order_by(Run.workflow_id)
    found = statement.where(Run.workspace_id == workspace_id, Run.id.in_(run_ids), Run.queue.is_not(None))
    return (await session.scalars(found)).all()


async def end_queued(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, run_ids: Sequence[UUID], *, error: JsonObject
) -> Sequence[Run]:
    """Cancel those of these runs that wait to be let in, all of them at once; answers with them."""
    given = {**_in(workspace_id, workflow_id), "ids": list(run_ids), "error": Jsonb(error)}
    return (await session.scalars(select(Run).from_statement(_END_QUEUED), given)).all()


async def give_places(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, key: str, *, places: int, waiting: Json, most: int
) -> Sequence[Run]:
    """Let the next ones have the places of the key that are free. `waiting`: what they wait for then, which is the
    hour; None: nothing."""
    statement = select(Run).from_statement(_GIVE_PLACES)
    hour = None if waiting is None else Jsonb(waiting)
    given = {"key": key, "places": places, "rated": waiting is not None, "most": most, "waiting": hour}
    return (await session.scalars(statement, {**_in(workspace_id, workflow_id), **given})).all()


async def opens_at(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, per_hour: int) -> datetime | None:
    """When the hour takes the next run, as far as is known."""
    given = {**_in(workspace_id, workflow_id), "per_hour": per_hour, "hour": HOUR}
    opens: datetime | None = await session.scalar(_OPENS, given)
    return opens


async def let_in(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, *, per_hour: int | None, most: int
) -> Sequence[Run]:
    """Let in who waits for the hour, as many as it takes now. None: it takes any."""
    given = {**_in(workspace_id, workflow_id), "most": most}
    statement = _LET_ALL_IN
    if per_hour is not None:
        statement, given = _LET_IN, {**given, "per_hour": per_hour, "hour": HOUR}
    return (await session.scalars(select(Run).from_statement(statement), given)).all()


async def queues(session: AsyncSession, workspace_id: UUID) -> Sequence[UUID]:
    """The workflows that have runs which wait to be let in."""
    return (await session.scalars(_QUEUES, {"workspace_id": workspace_id})).all()


async def free_keys(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, *, places: int, one_by_one: str, most: int
) -> Sequence[str]:
    """Keys of the workflow with a queue and a free place. Those that begin with `one_by_one` have one place."""
    given = {**_in(workspace_id, workflow_id), "places": places, "one_by_one": one_by_one, "most": most}
    return (await session.scalars(_FREE_KEYS, given)).all()


async def to_cancel(session: AsyncSession, workspace_id: UUID, *, limit: int, by: UUID | None = None) -> Sequence[UUID]:
    """Runs that were replaced (by this one), that have begun and that Temporal is still to cancel."""
    statement = select(Run.id).where(
        Run.workspace_id == workspace_id, Run.cancel_due, Run.finished_at.is_(None), Run.status != "pending"
    )
    if by is not None:
        statement = statement.where(Run.replaced_by == by)
    return (await session.scalars(statement.order_by(Run.id).limit(limit))).all()


async def replaced_unbegun(
    session: AsyncSession, workspace_id: UUID, *, older_than: timedelta, limit: int
) -> Sequence[Run]:
    """Runs that were replaced while nobody had handed them to Temporal, or had noted that."""
    statement = select(Run).where(
        Run.workspace_id == workspace_id,
        Run.cancel_due,
        Run.finished_at.is_(None),
        Run.status == "pending",
        Run.created_at <= func.now() - older_than,
    )
    return (await session.scalars(statement.order_by(Run.id).limit(limit))).all()


async def note_cancelled(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> None:
    """Temporal has been told to cancel the run."""
    await session.execute(
        update(Run).where(Run.workspace_id == workspace_id, Run.id == run_id).values(cancel_due=False)
    )


def _of(run: Run) -> dict[str, UUID]:
    return _in(run.workspace_id, run.workflow_id)


def _in(workspace_id: UUID, workflow_id: UUID) -> dict[str, UUID]:
    return {"workspace_id": workspace_id, "workflow_id": workflow_id}
