"""The base of all tables: which Python types are which columns. No table stands here."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

from app.db.values import CleanText
from app.json import JsonObject


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map: ClassVar = {
        UUID: PG_UUID(as_uuid=True),
        datetime: DateTime(timezone=True),
        JsonObject: JSONB(none_as_null=True),
        str: CleanText(),
        list[str]: ARRAY(CleanText()),
        Any: JSONB(none_as_null=True),
    }
    # What the database computes (now()) comes back with the statement, since rows outlive their session.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  (declared so by SQLAlchemy)


def of_workspace() -> MappedColumn[UUID]:
    """The column `workspace_id` of a table whose rows hang on no other row than their workspace's: they go with it, and
    none can be written once it is gone. Tables whose rows hang on those of such a table need no reference of their own.
    """
    return mapped_column(ForeignKey("workspaces.workspace_id", ondelete="CASCADE"), primary_key=True)
