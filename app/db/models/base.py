"""The base of all tables: which Python types are which columns. No table stands here."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import DeclarativeBase

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
