"""The statements that take a workspace's rows away, a bounded number at a time. Runs inside transactions of it."""

# ruff: noqa: S608  (what is put together are names of our own tables, never values)

from uuid import UUID

from app.db.engine import Statement
from app.db.models import Base

TABLES: tuple[str, ...] = tuple(
    table.name for table in reversed(Base.metadata.sorted_tables) if table.name != "workspaces"
)
"""Every table with rows of a workspace, those first whose rows hang on others'. The workspace's own goes last."""

_SCHEDULES = "SELECT id FROM schedules WHERE workspace_id = %(workspace_id)s LIMIT %(limit)s"
_DELETE_SCHEDULES = "DELETE FROM schedules WHERE workspace_id = %(workspace_id)s AND id = ANY(%(ids)s)"
_OPEN_RUNS = """
    SELECT id FROM runs WHERE workspace_id = %(workspace_id)s AND finished_at IS NULL LIMIT %(limit)s
"""
_END_RUNS = """
    UPDATE runs SET status = 'cancelled', finished_at = now()
    WHERE workspace_id = %(workspace_id)s AND id = ANY(%(ids)s)
"""
_MAY_DELETE = "SELECT has_table_privilege(%(table)s, 'DELETE')"


def schedules(workspace_id: UUID, limit: int) -> Statement:
    """Some of its schedules: rows of `(id,)`."""
    return Statement(_SCHEDULES, {"workspace_id": workspace_id, "limit": limit})


def delete_schedules(workspace_id: UUID, ids: list[UUID]) -> Statement:
    """Temporal has these no more."""
    return Statement(_DELETE_SCHEDULES, {"workspace_id": workspace_id, "ids": ids})


def open_runs(workspace_id: UUID, limit: int) -> Statement:
    """Some of its runs that have not ended: rows of `(id,)`."""
    return Statement(_OPEN_RUNS, {"workspace_id": workspace_id, "limit": limit})


def end_runs(workspace_id: UUID, ids: list[UUID]) -> Statement:
    """Temporal has these no more."""
    return Statement(_END_RUNS, {"workspace_id": workspace_id, "ids": ids})


def may_delete(table: str) -> Statement:
    """`(bool,)`: whether rows of the table can be deleted one by one; those of others go with their workspace's row."""
    return Statement(_MAY_DELETE, {"table": table})


def delete_rows(workspace_id: UUID, table: str, limit: int) -> Statement:
    """Delete at most so many rows of one of `TABLES`; answers one row for each."""
    statement = f"""
        DELETE FROM {table} WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM {table} WHERE workspace_id = %(workspace_id)s LIMIT %(limit)s))
        RETURNING 1
    """
    return Statement(statement, {"workspace_id": workspace_id, "limit": limit})
