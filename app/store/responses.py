"""Statements about the answer a run gives the caller who started it. The first one is kept and never replaced."""

from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.engine import Statement
from app.json import JsonObject

_KEEP: LiteralString = """
    UPDATE runs SET response = %(response)s, updated_at = now()
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND response IS NULL
"""
_PATH_AND_STATUS: LiteralString = """
    SELECT response->>'path', (response->>'status')::int FROM runs
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s
"""


def keep(workspace_id: UUID, run_id: UUID, response: JsonObject) -> Statement:
    """Answer with this, unless the run has answered: `{path, status, headers, body, at}`."""
    parameters = {"workspace_id": workspace_id, "run_id": run_id, "response": Jsonb(response)}
    return Statement(_KEEP, parameters)


def kept(workspace_id: UUID, run_id: UUID) -> Statement:
    """`(path, status)` of the step that answered and of its answer, both None when none has; no row for no run."""
    return Statement(_PATH_AND_STATUS, {"workspace_id": workspace_id, "run_id": run_id})
