"""Queries about how messages come in: addresses, mailboxes, calls, and the triggers that say how a call is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Call, Connection, Mailbox, MessageAddress, Subscription
from app.json import JsonObject
from app.store.events import of_event


async def address(session: AsyncSession, workspace_id: UUID, connection_id: UUID) -> MessageAddress | None:
    """The address of a connection."""
    statement = select(MessageAddress).where(
        MessageAddress.workspace_id == workspace_id, MessageAddress.connection_id == connection_id
    )
    return await session.scalar(statement)


async def connection_at(session: AsyncSession, workspace_id: UUID, hash: str) -> Connection | None:
    """The connection whose address this is, or was until a while ago that is not over."""
    is_it = or_(
        MessageAddress.hash == hash,
        and_(MessageAddress.previous_hash == hash, MessageAddress.previous_until > func.now()),
    )
    statement = (
        select(Connection)
        .join(
            MessageAddress,
            and_(MessageAddress.workspace_id == Connection.workspace_id, MessageAddress.connection_id == Connection.id),
        )
        .where(MessageAddress.workspace_id == workspace_id, is_it)
    )
    return await session.scalar(statement)


async def mailbox(session: AsyncSession, workspace_id: UUID, connection_id: UUID) -> Mailbox | None:
    """The mailbox of a connection."""
    statement = select(Mailbox).where(Mailbox.workspace_id == workspace_id, Mailbox.connection_id == connection_id)
    return await session.scalar(statement)


async def claim_due(
    session: AsyncSession, workspace_id: UUID, *, limit: int, lease: timedelta
) -> Sequence[tuple[Mailbox, Connection]]:
    """Mailboxes that are due, with their connections, longest due first; nobody else gets them for the time of the
    lease."""
    statement = (
        select(Mailbox, Connection)
        .join(
            Connection,
            and_(Mailbox.workspace_id == Connection.workspace_id, Mailbox.connection_id == Connection.id),
        )
        .where(Mailbox.workspace_id == workspace_id, Mailbox.due_at <= func.now())
        .order_by(Mailbox.due_at)
        .limit(limit)
        .with_for_update(of=Mailbox, skip_locked=True)
    )
    found = [(box, connection) for box, connection in await session.execute(statement)]
    for box, _connection in found:
        await _set(session, box, due_at=func.now() + lease)
    return found


async def keep_place(
    session: AsyncSession, box: Mailbox, *, uid_validity: int, taken: int, tidied: int, before: int | None
) -> bool:
    """Note up to where the mailbox is taken; False when somebody else did meanwhile. `before` is what was taken when it
    was looked into."""
    statement = (
        update(Mailbox)
        .where(
            Mailbox.workspace_id == box.workspace_id,
            Mailbox.connection_id == box.connection_id,
            Mailbox.taken_uid.is_not_distinct_from(before),
        )
        .values(uid_validity=uid_validity, taken_uid=taken, tidied_uid=tidied)
        .returning(Mailbox.connection_id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def looked_into(session: AsyncSession, box: Mailbox, *, again_in: timedelta, to_its_end: bool) -> None:
    """The mailbox was looked into just now, and is due again in so long."""
    polled = {"polled_at": func.now()} if to_its_end else {}
    await _set(session, box, due_at=func.now() + again_in, failures=0, **polled)


async def not_looked_into(session: AsyncSession, box: Mailbox, *, again_in: timedelta, failed: bool) -> None:
    """The mailbox could not be looked into, or there was no time to."""
    await _set(session, box, due_at=func.now() + again_in, failures=Mailbox.failures + (1 if failed else 0))


async def _set(session: AsyncSession, box: Mailbox, **values: Any) -> None:
    await session.execute(
        update(Mailbox)
        .where(Mailbox.workspace_id == box.workspace_id, Mailbox.connection_id == box.connection_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def call(session: AsyncSession, workspace_id: UUID, connection_id: UUID, call_id: str) -> Call:
    """The call, locked until the transaction ends; a new one if nothing was heard of it before."""
    keys = {"workspace_id": workspace_id, "connection_id": connection_id, "call_id": call_id}
    await session.execute(insert(Call).values(**keys).on_conflict_do_nothing())
    statement = select(Call).filter_by(**keys).with_for_update()
    return (await session.scalars(statement)).one()


async def overdue_calls(session: AsyncSession, workspace_id: UUID, *, limit: int) -> Sequence[tuple[Call, str]]:
    """Calls that are told as they are known now, with the names of their connections."""
    statement = (
        select(Call, Connection.name)
        .join(Connection, and_(Call.workspace_id == Connection.workspace_id, Call.connection_id == Connection.id))
        .where(Call.workspace_id == workspace_id, Call.told_at.is_(None), Call.due_at <= func.now())
        .order_by(Call.due_at)
        .limit(limit)
    )
    return [(row, name) for row, name in await session.execute(statement)]


async def call_told(session: AsyncSession, row: Call) -> None:
    """The call is an event; what was known of it is there, and no longer here."""
    await session.execute(
        update(Call)
        .where(
            Call.workspace_id == row.workspace_id,
            Call.connection_id == row.connection_id,
            Call.call_id == row.call_id,
        )
        .values(told_at=func.now(), known={})
        .execution_options(synchronize_session=False)
    )


async def forget_calls(session: AsyncSession, workspace_id: UUID, *, older_than: timedelta) -> None:
    """Delete calls told so long ago that nothing more is heard of them."""
    await session.execute(
        delete(Call)
        .where(Call.workspace_id == workspace_id, Call.told_at < func.now() - older_than)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class Listening:
    """A message trigger of an active workflow, and what it says about its messages."""

    workflow_id: UUID
    options: JsonObject


async def listening(session: AsyncSession, workspace_id: UUID, event: str, source: str) -> list[Listening]:
    """The message triggers for messages of this type over this connection, whatever their filters say."""
    statement = (
        select(Subscription.workflow_id, Subscription.options)
        .where(
            Subscription.workspace_id == workspace_id,
            Subscription.kind == "message",
            Subscription.of_event == of_event(workspace_id, event),
            or_(Subscription.source.is_(None), Subscription.source == source),
        )
        .order_by(Subscription.workflow_id, Subscription.position)
    )
    return [Listening(row.workflow_id, row.options) for row in await session.execute(statement)]
