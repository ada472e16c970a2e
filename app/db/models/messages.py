"""How messages come in: addresses that providers call, mailboxes that are looked into, calls under way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base
from app.json import JsonObject


def _of_connection() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["workspace_id", "connection_id"], ["connections.workspace_id", "connections.id"], ondelete="CASCADE"
    )


class MessageAddress(Base):
    """The address that a connection's provider calls. `token` is a ciphertext; it is found by its hash."""

    __tablename__ = "message_addresses"
    __table_args__ = (
        _of_connection(),
        Index("message_addresses_hash", "workspace_id", "hash"),
        Index("message_addresses_previous", "workspace_id", "previous_hash"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[str]
    token: Mapped[str]
    previous_hash: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rotated_at: Mapped[datetime | None]


class Mailbox(Base):
    """A mailbox that is looked into when it is `due_at`.

    Mails up to `taken_uid` are events, those up to `tidied_uid` are marked or moved as well; both only mean something
    together with `uid_validity` (RFC 9051, 2.3.1.1). Before the first look there is only `since`.
    """

    __tablename__ = "mailboxes"
    __table_args__ = (_of_connection(), Index("mailboxes_due", "workspace_id", "due_at"))

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    uid_validity: Mapped[int | None] = mapped_column(BigInteger)
    taken_uid: Mapped[int | None] = mapped_column(BigInteger)
    tidied_uid: Mapped[int | None] = mapped_column(BigInteger)
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    polled_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Call(Base):
    """A call and what is known of it so far; it becomes an event when all is known, or when it is `due_at`."""

    __tablename__ = "calls"
    __table_args__ = (
        _of_connection(),
        Index("calls_due", "workspace_id", "due_at", postgresql_where=text("told_at IS NULL")),
        Index("calls_told", "workspace_id", "told_at", postgresql_where=text("told_at IS NOT NULL")),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    known: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    told_at: Mapped[datetime | None]
