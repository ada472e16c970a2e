"""Statements about values that are too large for Temporal. What is in them is not known here."""

from collections.abc import Sequence
from uuid import UUID

from app.db.engine import Statement

_KEEP = """
    INSERT INTO payloads (workspace_id, run_id, digest, payload)
    VALUES (%(workspace_id)s, %(run_id)s, %(digest)s, %(payload)s)
    ON CONFLICT DO NOTHING
"""

_KEPT = """
    SELECT run_id, digest, payload FROM payloads
    WHERE workspace_id = %(workspace_id)s AND run_id = ANY(%(run_ids)s) AND digest = ANY(%(digests)s)
"""


def keep(workspace_id: UUID, run_id: UUID, digest: str, payload: bytes) -> Statement:
    """Keep a value of the run; one that is kept already stays as it is."""
    row = {"workspace_id": workspace_id, "run_id": run_id, "digest": digest, "payload": payload}
    return Statement(_KEEP, row)


def kept(workspace_id: UUID, run_ids: Sequence[UUID], digests: Sequence[str]) -> Statement:
    """Rows `(run_id, digest, payload)` of the runs' values with one of these digests."""
    wanted = {"workspace_id": workspace_id, "run_ids": list(run_ids), "digests": list(digests)}
    return Statement(_KEPT, wanted)
