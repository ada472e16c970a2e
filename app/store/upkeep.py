"""Queries that find what upkeep has to do in a workspace, and close what a run that is no more has left open.

How old things are deleted is `purge`'s. What these find is indexed for it: an idle installation asks every few seconds.
"""

# ruff: noqa: S608  (what is put together are fragments of this package, never values)

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.engine import Statement
from app.json import Json, JsonObject
from app.store.purge import EXPIRED_DELIVERY, EXPIRED_ENTRY, EXPIRED_EVENT, EXPIRED_RUN, EXPIRED_SENDER

# Runs that nobody asked Temporal about for a while. Pending ones are not there yet.
_UNCHECKED: LiteralString = """
    workspace_id = %(workspace_id)s AND finished_at IS NULL AND status <> 'pending'
"""
_NEVER_CHECKED: LiteralString = f"{_UNCHECKED} AND checked_at IS NULL AND created_at < now() - %(check_after)s"
_LONG_UNCHECKED: LiteralString = f"{_UNCHECKED} AND checked_at < now() - %(check_after)s"

# `EXISTS` would do, were it not that the planner then takes a scan of the whole table for the shorter way to the first
# of many rows it expects; with an order it takes the index.
_LOOK = f"""
    SELECT
        COALESCE(
            (SELECT true FROM events
             WHERE workspace_id = %(workspace_id)s AND dispatched_at IS NULL
               AND received_at <= clock_timestamp() - %(undispatched_for)s ORDER BY received_at LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM runs
             WHERE workspace_id = %(workspace_id)s AND status = 'pending' AND queue IS NULL
               AND updated_at <= now() - %(pending_for)s ORDER BY id LIMIT 1),
            (SELECT true FROM runs
             WHERE workspace_id = %(workspace_id)s AND queue = 'concurrency'
             ORDER BY workflow_id, concurrency_key, id LIMIT 1),
            (SELECT true FROM runs WHERE workspace_id = %(workspace_id)s AND queue = 'rate'
             ORDER BY workflow_id, id LIMIT 1),
            (SELECT true FROM runs
             WHERE workspace_id = %(workspace_id)s AND cancel_due AND finished_at IS NULL ORDER BY id LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM runs
             WHERE workspace_id = %(workspace_id)s AND parent_waits AND (orphaned OR finished_at IS NOT NULL)
             ORDER BY id LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM schedules
             WHERE workspace_id = %(workspace_id)s AND (synced IS DISTINCT FROM revision OR deleted_at IS NOT NULL)
               AND updated_at < now() - %(behind_for)s
               AND (checked_at IS NULL OR checked_at < now() - %(behind_for)s) ORDER BY updated_at LIMIT 1),
            (SELECT true FROM schedules
             WHERE workspace_id = %(workspace_id)s AND checked_at < now() - %(schedule_check_after)s
             ORDER BY checked_at LIMIT 1),
            (SELECT true FROM runs
             WHERE workspace_id = %(workspace_id)s AND told_workflow IS NOT NULL
               AND finished_at < now() - %(untold_for)s
               AND (told_at IS NULL OR told_at < now() - %(untold_again_after)s) ORDER BY id LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM runs WHERE {_NEVER_CHECKED} ORDER BY checked_at LIMIT 1),
            (SELECT true FROM runs WHERE {_LONG_UNCHECKED} ORDER BY checked_at LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM runs AS old WHERE {EXPIRED_RUN} ORDER BY old.finished_at LIMIT 1),
            (SELECT true FROM events WHERE {EXPIRED_EVENT} ORDER BY received_at LIMIT 1),
            (SELECT true FROM form_senders WHERE {EXPIRED_SENDER} ORDER BY free_at LIMIT 1),
            (SELECT true FROM deliveries WHERE {EXPIRED_DELIVERY} ORDER BY received_at LIMIT 1),
            (SELECT {EXPIRED_ENTRY} FROM audit_log WHERE workspace_id = %(workspace_id)s ORDER BY id LIMIT 1),
            false),
        COALESCE(
            (SELECT true FROM mailboxes
             WHERE workspace_id = %(workspace_id)s AND due_at <= now() ORDER BY due_at LIMIT 1),
            (SELECT true FROM calls
             WHERE workspace_id = %(workspace_id)s AND told_at IS NULL AND due_at <= now() ORDER BY due_at LIMIT 1),
            false)
"""

_TAKE_UNCHECKED = f"""
    UPDATE runs SET checked_at = now()
    WHERE workspace_id = %(workspace_id)s AND id IN (
        (SELECT id FROM runs WHERE {_NEVER_CHECKED} ORDER BY checked_at LIMIT %(limit)s)
        UNION ALL
        (SELECT id FROM runs WHERE {_LONG_UNCHECKED} ORDER BY checked_at LIMIT %(limit)s)
        LIMIT %(limit)s)
    RETURNING id
"""

_OPEN_AMONG = """
    SELECT id FROM runs
    WHERE workspace_id = %(workspace_id)s AND id = ANY(%(run_ids)s) AND finished_at IS NULL AND status <> 'pending'
"""

_END = """
    WITH ended AS (
        UPDATE runs SET
            status = %(status)s, error = %(error)s, output = COALESCE(%(output)s, output),
            current_step = NULL, waiting_for = NULL, finished_at = COALESCE(%(at)s, now()), updated_at = now()
        WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND finished_at IS NULL AND status <> 'pending'
        RETURNING workspace_id, id, started_at, finished_at, workflow_id, concurrency_key
    ), steps_closed AS (
        UPDATE steps SET status = 'cancelled', finished_at = ended.finished_at FROM ended
        WHERE steps.workspace_id = ended.workspace_id AND steps.run_id = ended.id
          AND steps.status IN ('pending', 'running', 'waiting', 'held')
    ), waits_closed AS (
        UPDATE waits SET closed_at = now() FROM ended
        WHERE waits.workspace_id = ended.workspace_id AND waits.run_id = ended.id AND waits.closed_at IS NULL
    )
    SELECT workflow_id, concurrency_key, EXTRACT(EPOCH FROM finished_at - started_at)::float8 FROM ended
"""


def look(
    workspace_id: UUID,
    *,
    undispatched_for: timedelta,
    pending_for: timedelta,
    check_after: timedelta,
    behind_for: timedelta,
    schedule_check_after: timedelta,
    untold_for: timedelta,
    untold_again_after: timedelta,
    retention_days: int,
    audit_retention_days: int,
) -> Statement:
    """Whether there is work: one row `(events, starts, children, schedules, checks, purge, messages)`, each true or
    false."""
    return Statement(
        _LOOK,
        {
            "workspace_id": workspace_id,
            "undispatched_for": undispatched_for,
            "pending_for": pending_for,
            "check_after": check_after,
            "behind_for": behind_for,
            "schedule_check_after": schedule_check_after,
            "untold_for": untold_for,
            "untold_again_after": untold_again_after,
            "retention_days": retention_days,
            "audit_retention_days": audit_retention_days,
        },
    )


def take_unchecked(workspace_id: UUID, *, check_after: timedelta, limit: int) -> Statement:
    """Ids of the runs longest unchecked, rows of `(id,)`, which count as checked from now on.

    Stamped before they are asked about: one that cannot be asked about must not stand in the way of the others.
    """
    return Statement(_TAKE_UNCHECKED, {"workspace_id": workspace_id, "check_after": check_after, "limit": limit})


def open_among(workspace_id: UUID, run_ids: Sequence[UUID]) -> Statement:
    """Those of these runs that are under way as far as their rows know: rows of `(id,)`."""
    return Statement(_OPEN_AMONG, {"workspace_id": workspace_id, "run_ids": list(run_ids)})


def end(
    workspace_id: UUID, run_id: UUID, *, status: str, error: JsonObject | None, output: Json, at: datetime | None
) -> Statement:
    """The run ended then (None: now) without saying so; answers `(workflow_id, concurrency_key, seconds)` with how long
    it took, or nothing when it has ended or is pending.

    Its steps that are not over were cancelled by that, and it waits for nothing any more.
    """
    ending = {
        "status": status,
        "error": None if error is None else Jsonb(error),
        "output": None if output is None else Jsonb(output),
        "at": at,
    }
    return Statement(_END, {"workspace_id": workspace_id, "run_id": run_id, **ending})
