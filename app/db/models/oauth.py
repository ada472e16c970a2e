"""What connections of kind oauth2 hold besides their credentials: tokens, and authorizations that are under way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


def _of_connection() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["workspace_id", "connection_id"], ["connections.workspace_id", "connections.id"], ondelete="CASCADE"
    )


class OAuthToken(Base):
    """The tokens of a connection, and who gets new ones just now.

    `revision` counts every change of the tokens: whoever asked for new ones keeps them only if nobody else changed them
    meanwhile. The lease keeps others from asking too; it runs out, so that nothing waits for a process that died.
    """

    __tablename__ = "oauth_tokens"
    __table_args__ = (_of_connection(),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    tokens: Mapped[str | None]
    """A ciphertext of `{access_token, refresh_token}`; null while there are none."""
    expires_at: Mapped[datetime | None]
    """When the access token does; null where the provider does not say."""
    refresh_expires_at: Mapped[datetime | None]
    obtained_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    lease_holder: Mapped[str | None]
    lease_until: Mapped[datetime | None]


class OAuthAuthorization(Base):
    """Somebody was asked to authorize a connection. The row is gone as soon as an answer comes.

    `ticket_hash` finds it for who opens the link; `state_hash`, `browser_hash` and `verifier` are there once a browser
    was sent on to the provider, each time anew.
    """

    __tablename__ = "oauth_authorizations"
    __table_args__ = (
        _of_connection(),
        Index("oauth_authorizations_ticket", "workspace_id", "ticket_hash"),
        Index("oauth_authorizations_state", "workspace_id", "state_hash"),
        Index("oauth_authorizations_connection", "workspace_id", "connection_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    ticket_hash: Mapped[str]
    state_hash: Mapped[str | None]
    browser_hash: Mapped[str | None]
    verifier: Mapped[str | None]
    """A ciphertext of `{verifier}` (RFC 7636)."""
    asked_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
