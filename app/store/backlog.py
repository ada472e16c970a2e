"""How much waits in a workspace, and how long the oldest of it does. Every part is answered by an index, and a count
ends at a bound: this is asked again and again, of an installation that is behind above all.
"""

from uuid import UUID

from app.db.engine import Statement

MOST_COUNTED = 10_000
"""No more of a kind is counted in a workspace."""

_BACKLOG = """
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM runs WHERE workspace_id = %(workspace_id)s AND status = 'pending' LIMIT %(most)s) AS pending),
        (SELECT EXTRACT(EPOCH FROM now() - created_at)::float8 FROM runs
         WHERE workspace_id = %(workspace_id)s AND status = 'pending' AND queue IS NULL ORDER BY id LIMIT 1),
        (SELECT count(*) FROM (
            SELECT 1 FROM events
            WHERE workspace_id = %(workspace_id)s AND dispatched_at IS NULL LIMIT %(most)s) AS undispatched),
        (SELECT EXTRACT(EPOCH FROM now() - received_at)::float8 FROM events
         WHERE workspace_id = %(workspace_id)s AND dispatched_at IS NULL ORDER BY received_at LIMIT 1),
        (SELECT count(*) FROM (
            SELECT 1 FROM runs WHERE workspace_id = %(workspace_id)s AND status = 'waiting' LIMIT %(most)s) AS waiting),
        (SELECT count(*) FROM (
            SELECT 1 FROM runs WHERE workspace_id = %(workspace_id)s AND status = 'held' LIMIT %(most)s) AS held)
"""


def backlog(workspace_id: UUID) -> Statement:
    """One row: runs pending, seconds the oldest of them waits that no limit holds back, events not dispatched, seconds
    of the oldest, runs waiting, runs held."""
    return Statement(_BACKLOG, {"workspace_id": workspace_id, "most": MOST_COUNTED})
