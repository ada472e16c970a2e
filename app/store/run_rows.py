"""A run's row in one round trip, for those who look at single runs again and again. Lists are in `runs`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.db.engine import Statement
from app.db.models import Run

_COLUMNS = tuple(column.name for column in Run.__table__.columns)
_ROW = f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE workspace_id = %(workspace_id)s AND id = %(id)s"  # noqa: S608
_ANSWERED_ROW = f"{_ROW} AND (response IS NOT NULL OR finished_at IS NOT NULL)"


def row(workspace_id: UUID, run_id: UUID, *, answered: bool = False) -> Statement:
    """The run for `read`; with `answered` only once it has answered or ended."""
    return Statement(_ANSWERED_ROW if answered else _ROW, {"workspace_id": workspace_id, "id": run_id})


def read(rows: Sequence[Sequence[Any]]) -> Run | None:
    """What `row` gave, as a run that belongs to no session."""
    return Run(**dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None
