"""Whether messages come in over a connection: its public address, or for a mailbox that it is looked into.

The token of an address is kept encrypted, so that it can be shown again to whoever sets the provider up, and found by
its hash. A rotated address works for another day, which is time to enter the new one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection, Mailbox, MessageAddress
from app.definition.triggers.message import CHANNEL_KINDS, Channel
from app.security import message_addresses as tokens
from app.security.credentials import CredentialsError, NoEncryptionKey
from app.services import audit
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.platform import Platform
from app.store import connections
from app.store import messages as store

MAILBOX_KIND = "imap"
PREVIOUS_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Receiving:
    """How messages come in over a connection: by an address with this token, or from a mailbox."""

    connection: Connection
    since: datetime
    token: str | None = None
    previous_until: datetime | None = None
    """The address before the last rotation works until then."""
    mailbox: Mailbox | None = None

    @property
    def channels(self) -> list[Channel]:
        """What kinds of message come in."""
        return channels_of(self.connection.kind)


def channels_of(kind: str) -> list[Channel]:
    """What kinds of message come in over connections of this kind."""
    return [channel for channel in get_args(Channel) if kind in CHANNEL_KINDS[channel]]


async def open_(platform: Platform, workspace_id: UUID, connection_id: UUID) -> tuple[Receiving, bool]:
    """Let messages come in, and whether that is news: what comes in already stays as it is. A mailbox that could not be
    looked into is due at once.

    Raises `NotFound`, `Conflict` (`connection_takes_no_messages`) or `Unavailable` without a key to encrypt with.
    """
    async with platform.database.transaction(workspace_id) as session:
        connection = await _connection(session, workspace_id, connection_id)
        if (there := await _there(platform, session, connection)) is not None:
            if there.mailbox is not None and there.mailbox.failures:
                # Whoever asks has mended what kept it, and does not want to wait for minutes.
                there.mailbox.due_at = datetime.now(UTC)
            return there, False
        if connection.kind == MAILBOX_KIND:
            mailbox = Mailbox(workspace_id=workspace_id, connection_id=connection_id)
            session.add(mailbox)
            await session.flush()
            await audit.note(session, "connection.receive", connection_id, connection.name)
            return Receiving(connection, mailbox.created_at, mailbox=mailbox), True
        token = tokens.generate(workspace_id)
        row = MessageAddress(workspace_id=workspace_id, connection_id=connection_id)
        _put_token(platform, row, token)
        session.add(row)
        await session.flush()
        await audit.note(session, "connection.receive", connection_id, connection.name)
        return Receiving(connection, row.created_at, token), True


async def get(platform: Platform, workspace_id: UUID, connection_id: UUID) -> Receiving:
    """How messages come in. Raises `NotFound` (`inbound_not_found`) when none do, and as `open_`."""
    async with platform.database.transaction(workspace_id) as session:
        connection = await _connection(session, workspace_id, connection_id)
        there = await _there(platform, session, connection)
    if there is None:
        raise _closed(connection)
    return there


async def rotate(platform: Platform, workspace_id: UUID, connection_id: UUID) -> Receiving:
    """Give the connection another address; the one it has works for another day. Raises as `get` does, and `Conflict`
    (`mailbox_has_no_address`) for a mailbox."""
    async with platform.database.transaction(workspace_id) as session:
        connection = await _connection(session, workspace_id, connection_id)
        if connection.kind == MAILBOX_KIND:
            raise Conflict("mailbox_has_no_address", f"Mails of {connection.name!r} are fetched: it has no address.")
        row = await store.address(session, workspace_id, connection_id)
        if row is None:
            raise _closed(connection)
        row.previous_hash, row.previous_until = row.hash, datetime.now(UTC) + PREVIOUS_FOR
        token = tokens.generate(workspace_id)
        _put_token(platform, row, token)
        row.rotated_at = func.now()
        after = {"previous_until": row.previous_until.isoformat()}
        await audit.note(session, "connection.rotate_address", connection_id, connection.name, after=after)
        return Receiving(connection, row.created_at, token, row.previous_until)


async def close(platform: Platform, workspace_id: UUID, connection_id: UUID) -> None:
    """Let no more messages come in; the address leads nowhere from now on. Raises as `get` does."""
    async with platform.database.transaction(workspace_id) as session:
        connection = await _connection(session, workspace_id, connection_id)
        row = await _row(session, connection)
        if row is None:
            raise _closed(connection)
        await session.delete(row)
        await audit.note(session, "connection.stop_receiving", connection_id, connection.name)


async def _connection(session: AsyncSession, workspace_id: UUID, connection_id: UUID) -> Connection:
    """Locked, so that of two requests at once the second sees what the first did."""
    connection = await connections.find(session, workspace_id, connection_id, lock=True)
    if connection is None:
        raise NotFound("connection_not_found", "There is no such connection.")
    if not channels_of(connection.kind):
        taking = sorted({kind for kinds in CHANNEL_KINDS.values() for kind in kinds})
        raise Conflict(
            "connection_takes_no_messages",
            f"No messages come in over a connection of kind {connection.kind}; they do over {', '.join(taking)}.",
        )
    return connection


async def _row(session: AsyncSession, connection: Connection) -> MessageAddress | Mailbox | None:
    find = store.mailbox if connection.kind == MAILBOX_KIND else store.address
    return await find(session, connection.workspace_id, connection.id)


async def _there(platform: Platform, session: AsyncSession, connection: Connection) -> Receiving | None:
    row = await _row(session, connection)
    if isinstance(row, MessageAddress):
        previous = row.previous_until
        over = previous is None or previous <= datetime.now(UTC)
        return Receiving(connection, row.created_at, _token(platform, row), None if over else previous)
    return None if row is None else Receiving(connection, row.created_at, mailbox=row)


def _put_token(platform: Platform, row: MessageAddress, token: str) -> None:
    row.hash = tokens.digest(token)
    try:
        row.token = platform.keyring.encrypt({"token": token}, context=_context(row))
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"The address cannot be kept: {error}.") from error


def _token(platform: Platform, row: MessageAddress) -> str:
    try:
        return str(platform.keyring.decrypt(row.token, context=_context(row))["token"])
    except CredentialsError as error:
        raise Conflict(
            "credentials_unreadable", f"The address cannot be shown, only deleted and made anew: {error}."
        ) from error


def _context(row: MessageAddress) -> str:
    return f"messages:{row.workspace_id}:{row.connection_id}"


def _closed(connection: Connection) -> NotFound:
    return NotFound(
        "inbound_not_found",
        f"No messages come in over the connection {connection.name!r}: POST /v1/connections/{connection.id}/inbound "
        "lets them in.",
    )
