"""A row for every table there is, as plain SQL, for tests about all of them."""

from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Integer, Table
from sqlalchemy.dialects.postgresql import JSONB

from app.db.models import Base

TABLES = list(Base.metadata.sorted_tables)


def a_value(column: Column[Any], row: dict[str, Any]) -> Any:
    """Something that fits the column, a fixed thing for keys, so that rows of one workspace belong together."""
    kinds: list[tuple[type, Any]] = [
        (JSONB, Jsonb({})),
        (ARRAY, []),
        (Boolean, False),
        (DateTime, "2030-01-01T00:00:00Z"),
        (BigInteger, 1),
        (Integer, 1),
    ]
    if column.name in row:
        return row[column.name]
    return next((value for kind, value in kinds if isinstance(column.type, kind)), "x")


def rows_of(workspace: UUID) -> dict[str, dict[str, Any]]:
    """One row for every table, in the order they can be inserted."""
    ids = {"workspace_id": workspace, "id": workspace, "workflow_id": workspace, "run_id": workspace}
    ids |= {"connection_id": workspace}
    ids |= {"parent_run_id": workspace, "retry_of": workspace, "replaced_by": workspace}
    ids |= {"only_workflow": workspace, "webhook_id": workspace, "replay_of": workspace}
    ids |= {"schedule_id": workspace, "last_run_id": workspace}
    # What has a fixed set of values.
    ids |= {"role": "viewer", "state": "active"}
    return {
        table.name: {column.name: a_value(column, ids) for column in table.columns if column.computed is None}
        for table in TABLES
    }


def insert(table: Table, row: dict[str, Any]) -> tuple[sql.Composed, list[Any]]:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() for _ in row),
    )
    return statement, list(row.values())
