"""The statements that delete what is older than its workspace keeps it. What is kept for how long is said here once.

Each deletes at most as many rows as it is told, so that none holds locks for long or meets the statement time limit.
"""

# ruff: noqa: S608  (what is put together are fragments of this package, never values)

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from app.db.engine import Statement

# As a whole a value that is computed beforehand, since row-level security lets no other condition use an index. The
# workspace's plan may allow less than its setting says.
_CUTOFF = """(
    SELECT now() - make_interval(days => LEAST(
        NULLIF(COALESCE(
            (SELECT (settings ->> 'retention_days')::integer FROM workspaces WHERE workspace_id = %(workspace_id)s),
            %(retention_days)s), 0),
        (SELECT history_days FROM workspaces WHERE workspace_id = %(workspace_id)s))))
"""
"""Null, and so before nothing, where all is kept."""

# A redrive may still ask what the runs before it did: a run stays as long as one that repeats it is kept.
EXPIRED_RUN: LiteralString = f"""
    old.workspace_id = %(workspace_id)s AND old.finished_at < {_CUTOFF}
    AND NOT EXISTS (SELECT FROM runs AS later WHERE later.workspace_id = %(workspace_id)s AND later.retry_of = old.id)
"""
EXPIRED_EVENT: LiteralString = f"""
    workspace_id = %(workspace_id)s AND dispatched_at IS NOT NULL AND received_at < {_CUTOFF}
"""

EXPIRED_DELIVERY: LiteralString = f"""
    workspace_id = %(workspace_id)s AND received_at < {_CUTOFF}
"""

# Of the oldest entry of the audit log: it is asked of that one alone.
EXPIRED_ENTRY: LiteralString = """
    at < now() - make_interval(days => NULLIF(%(audit_retention_days)s::integer, 0))
"""

# Who sent to a form: nothing of it counts any more.
EXPIRED_SENDER: LiteralString = """
    workspace_id = %(workspace_id)s AND free_at < (SELECT now() - interval '1 hour')
"""

_EXPIRED_RUNS = f"SELECT id FROM runs AS old WHERE {EXPIRED_RUN} ORDER BY old.finished_at LIMIT %(limit)s"

_KEYS: dict[str, LiteralString] = {
    "steps": "run_id, path",
    "step_attempts": "run_id, path, generation, attempt",
    "waits": "run_id, path",
    "approvals": "run_id, path",
    "payloads": "run_id, digest",
}
_PARTS: dict[str, LiteralString] = {
    table: f"""
        WITH batch AS MATERIALIZED (
            SELECT {key} FROM {table} WHERE workspace_id = %(workspace_id)s AND run_id = ANY(%(run_ids)s)
            LIMIT %(limit)s)
        DELETE FROM {table} WHERE workspace_id = %(workspace_id)s AND ({key}) IN (SELECT {key} FROM batch)
        RETURNING 1
    """
    for table, key in _KEYS.items()
}

# What else hangs on a run, and what was written meanwhile, goes with it: the foreign keys cascade.
_DELETE_RUNS = f"DELETE FROM runs AS old WHERE {EXPIRED_RUN} AND old.id = ANY(%(run_ids)s) RETURNING 1"

_DELETE_EVENTS = f"""
    WITH batch AS MATERIALIZED (
        SELECT source, id FROM events WHERE {EXPIRED_EVENT} ORDER BY received_at LIMIT %(limit)s)
    DELETE FROM events WHERE workspace_id = %(workspace_id)s AND (source, id) IN (SELECT source, id FROM batch)
    RETURNING 1
"""

_DELETE_DELIVERIES = f"""
    WITH batch AS MATERIALIZED (
        SELECT id FROM deliveries WHERE {EXPIRED_DELIVERY} ORDER BY received_at LIMIT %(limit)s)
    DELETE FROM deliveries WHERE workspace_id = %(workspace_id)s AND id IN (SELECT id FROM batch)
    RETURNING 1
"""

_DELETE_SENDERS = f"""
    WITH batch AS MATERIALIZED (
        SELECT workflow_id, sender FROM form_senders WHERE {EXPIRED_SENDER} ORDER BY free_at LIMIT %(limit)s)
    DELETE FROM form_senders
    WHERE {EXPIRED_SENDER} AND (workflow_id, sender) IN (SELECT workflow_id, sender FROM batch)
    RETURNING 1
"""

PARTS = tuple(_PARTS)
"""Tables of which a run may have very many rows."""


class Purge:
    """Builds the statements for one workspace. `retention_days` counts where the workspace has none; 0 = for ever."""

    def __init__(self, workspace_id: UUID, retention_days: int) -> None:
        self._given = {"workspace_id": workspace_id, "retention_days": retention_days}

    def expired_runs(self, limit: int) -> Statement:
        """Ids of runs that ended too long ago, those that ended first first: rows of `(id,)`."""
        return Statement(_EXPIRED_RUNS, {**self._given, "limit": limit})

    def delete_parts(self, table: str, run_ids: Sequence[UUID], limit: int) -> Statement:
        """Delete rows of one of `PARTS`; answers one row for each."""
        return Statement(_PARTS[table], {**self._given, "run_ids": list(run_ids), "limit": limit})

    def delete_runs(self, run_ids: Sequence[UUID]) -> Statement:
        """Delete these runs if they still are too old; answers one row for each."""
        return Statement(_DELETE_RUNS, {**self._given, "run_ids": list(run_ids)})

    def delete_events(self, limit: int) -> Statement:
        """Delete events that came too long ago and are dispatched, oldest first; answers one row for each."""
        return Statement(_DELETE_EVENTS, {**self._given, "limit": limit})

    def delete_deliveries(self, limit: int) -> Statement:
        """Delete deliveries to webhooks that came too long ago, oldest first; answers one row for each."""
        return Statement(_DELETE_DELIVERIES, {**self._given, "limit": limit})

    def delete_senders(self, limit: int) -> Statement:
        """Delete who sent to a form longer ago than counts; answers one row for each."""
        return Statement(_DELETE_SENDERS, {**self._given, "limit": limit})
