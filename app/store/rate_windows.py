"""Statements that count requests in windows of time, by the database's clock, which all processes share.

Two windows are looked at: the present one, and the one before with the part of it that a window's length back from now
still covers. What stands in a row is how many were let in; what was refused is in none.
"""

from typing import Any
from uuid import UUID

from app.db.engine import Statement

_NOW = "(SELECT extract(epoch FROM clock_timestamp())::double precision AS seconds)"

_ADD = f"""
    WITH clock AS MATERIALIZED {_NOW},
    present AS MATERIALIZED (
        SELECT floor(seconds / %(length)s)::bigint AS number,
               1 - (seconds / %(length)s - floor(seconds / %(length)s)) AS part
        FROM clock),
    before AS MATERIALIZED (
        SELECT COALESCE((
            SELECT hits FROM rate_windows
            WHERE workspace_id = %(workspace_id)s AND key = %(key)s AND number = present.number - 1), 0) AS hits
        FROM present),
    added AS (
        INSERT INTO rate_windows AS counted (workspace_id, key, number, hits, expires_at)
        SELECT %(workspace_id)s, %(key)s, present.number, %(amount)s,
               clock_timestamp() + 2 * make_interval(secs => %(length)s)
        FROM present, before WHERE %(amount)s + before.hits * present.part <= %(limit)s
        ON CONFLICT (workspace_id, key, number) DO UPDATE SET hits = counted.hits + %(amount)s
            WHERE counted.hits + %(amount)s + (SELECT before.hits * present.part FROM present, before) <= %(limit)s
        RETURNING hits)
    SELECT (SELECT hits FROM added), before.hits, present.part,
           COALESCE((
               SELECT hits FROM rate_windows
               WHERE workspace_id = %(workspace_id)s AND key = %(key)s AND number = present.number), 0)
    FROM present, before
"""  # noqa: S608  (a fragment of this module)

_SWEEP = """
    DELETE FROM rate_windows WHERE workspace_id = %(workspace_id)s AND expires_at < clock_timestamp()
"""
_CLEAR = "DELETE FROM rate_windows WHERE workspace_id = %(workspace_id)s AND key = %(key)s"

# Nobody waits for the disk for what need not outlive a crash.
_QUICK = "SELECT set_config('synchronous_commit', 'off', true)"


def add(workspace_id: UUID, key: str, *, amount: int, limit: int, length: int) -> Statement:
    """Count so many requests if the limit takes all of them. Gives `(hits, before, part, present)`: those counted in
    this window, null where they are refused; those in the window before and the part of it that still counts; those
    that were in this window already. `length`: of a window, in seconds."""
    given: dict[str, Any] = {"workspace_id": workspace_id, "key": key, "amount": amount}
    return Statement(_ADD, {**given, "limit": limit, "length": float(length)})


def look(workspace_id: UUID, key: str, *, length: int) -> Statement:
    """As `add` of none at all, which is not kept."""
    return add(workspace_id, key, amount=1, limit=-1, length=length)


def sweep(workspace_id: UUID) -> Statement:
    """Delete windows that count no more."""
    return Statement(_SWEEP, {"workspace_id": workspace_id})


def clear(workspace_id: UUID, key: str) -> Statement:
    """Forget what was counted of a key."""
    return Statement(_CLEAR, {"workspace_id": workspace_id, "key": key})


def quickly() -> Statement:
    """Goes before `add`, in the same transaction."""
    return Statement(_QUICK, {})
