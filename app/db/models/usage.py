"""What is counted: the runs of a month, and the requests of a moment. What a count allows is not known here."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace


class Executions(Base):
    """Runs that a workspace began in a month, in one of the rows they are spread over. A trigger counts them."""

    __tablename__ = "executions"

    workspace_id: Mapped[UUID] = of_workspace()
    month: Mapped[str] = mapped_column(primary_key=True)
    """`2026-11`, in UTC."""
    slot: Mapped[int] = mapped_column(primary_key=True)
    runs: Mapped[int] = mapped_column(BigInteger)


class RateWindow(Base):
    """Requests of one key, workspace or address within one of the windows that time is cut into."""

    __tablename__ = "rate_windows"

    workspace_id: Mapped[UUID] = of_workspace()
    """Nobody's, for what is counted before it is known who asks."""
    key: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Of the window, counted from 1970 in windows of this length."""
    hits: Mapped[int]
    expires_at: Mapped[datetime]
