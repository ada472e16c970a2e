"""Queries that count what each sender submits to a form. How many are allowed is not known here.

A sender's row holds one moment, `free_at`: when nothing of what it sent counts any more. Each submission moves it on by
its share of a minute, and is let in while it stays within a minute from now. So one row does for any number, and two
processes at once count each other's.
"""

from datetime import timedelta
from uuid import UUID

from app.db.engine import Statement

WINDOW = timedelta(minutes=1)

_LET_IN = """
    INSERT INTO form_senders AS known (workspace_id, workflow_id, sender, free_at)
    VALUES (%(workspace_id)s, %(workflow_id)s, %(sender)s, clock_timestamp() + %(share)s)
    ON CONFLICT (workspace_id, workflow_id, sender) DO UPDATE
        SET free_at = GREATEST(known.free_at, clock_timestamp()) + %(share)s
        WHERE known.free_at + %(share)s <= clock_timestamp() + %(window)s
    RETURNING true
"""
_WAIT = """
    SELECT EXTRACT(EPOCH FROM free_at + %(share)s - %(window)s - clock_timestamp())::float
    FROM form_senders WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND sender = %(sender)s
"""


def let_in(workspace_id: UUID, workflow_id: UUID, sender: str, *, share: timedelta) -> tuple[Statement, Statement]:
    """Count one submission: the first answers a row if it is let in, the second `(seconds,)` until the next one is."""
    given = {
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "sender": sender,
        "share": share,
        "window": WINDOW,
    }
    return Statement(_LET_IN, given), Statement(_WAIT, given)
