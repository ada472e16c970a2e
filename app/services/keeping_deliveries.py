"""Committing deliveries: those that come at about the same time share a round trip and a transaction.

What is refused before its signature was found right is kept so many times a minute for each webhook and counted beyond
that, so that nobody fills the disk of others.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from app.db.engine import Database, Statement
from app.db.models import Delivery
from app.json import JsonObject
from app.services.errors import Unavailable
from app.services.together import Together
from app.store import deliveries as store
from app.store import events, webhooks
from app.store.deliveries import Guard

MOST_TOGETHER = 40
JUDGED_AT_ONCE = 10
TURN_SECONDS = 30.0
MOST_WAITING_BYTES = 128 * 1024 * 1024
"""Of the bodies of all that wait for their turn."""
COUNTED_TOGETHER = 1000
REFUSED_A_MINUTE = 60
"""Refused deliveries of a webhook that are kept in a minute, in each process."""
_MOST_WEBHOOKS = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """What a delivery became: its status, and the runs that its event is known to have started."""

    status: str
    started: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Item:
    delivery: Delivery
    event: JsonObject | None
    guard: Guard | None
    noted: Statement | None = None

    @property
    def order(self) -> tuple[str, str, str]:
        """Events are inserted in one order everywhere, so that no two transactions wait for each other."""
        return (self.delivery.event_source or "", self.delivery.event_id or "", str(self.delivery.id))

    def statement(self) -> Statement:
        if self.event is None or self.guard is None:
            return store.add(self.delivery)
        return store.take(self.delivery, self.event, self.guard)


class Deliveries:
    """The deliveries of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Together[UUID, _Item, Kept | Exception | None] = Together(self._keep, most=MOST_TOGETHER)
        self._counted: Together[UUID, UUID, None] = Together(self._count, most=COUNTED_TOGETHER)
        self._refused: dict[UUID, tuple[int, int]] = {}
        self._turns = asyncio.Semaphore(JUDGED_AT_ONCE)
        self._waiting_bytes = 0

    @property
    def crowded(self) -> bool:
        """Whether deliveries wait for their turn."""
        return self._turns.locked()

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """The turn of a delivery of so many bytes to be judged and kept: with a few at a time, those who ask for
        something else find the process free every few milliseconds, however many wait. Raises `Unavailable` when it
        does not come, or too much waits already."""
        if self._waiting_bytes + size > MOST_WAITING_BYTES and self.crowded:
            raise _too_many()
        self._waiting_bytes += size
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise _too_many() from None
        finally:
            self._waiting_bytes -= size
        try:
            yield
        finally:
            self._turns.release()

    async def take(
        self, delivery: Delivery, event: JsonObject, guard: Guard, *, noted: Statement | None = None
    ) -> Kept | None:
        """Commit a delivery with its event; None when what it was judged by is no longer so. `noted` is sent after it,
        in its transaction. Raises `Unavailable`."""
        return await self._one(_Item(delivery, event, guard, noted))

    async def add(self, delivery: Delivery, *, bounded: bool) -> Kept | None:
        """Commit a delivery that does nothing; None when its webhook is gone, or when it was only counted, being
        one of too many. Raises `Unavailable`."""
        if bounded and not self._has_room(delivery.webhook_id):
            await self._counted(delivery.workspace_id, delivery.webhook_id)
            return None
        return await self._one(_Item(delivery, None, None))

    async def _one(self, item: _Item) -> Kept | None:
        kept = await self._kept(item.delivery.workspace_id, item)
        if isinstance(kept, Exception):
            raise kept
        return kept

    def _has_room(self, webhook_id: UUID) -> bool:
        minute = _minute()
        then, so_far = self._refused.pop(webhook_id, (minute, 0))
        so_far = so_far + 1 if then == minute else 1
        self._refused[webhook_id] = (minute, so_far)
        while len(self._refused) > _MOST_WEBHOOKS:
            del self._refused[next(iter(self._refused))]
        return so_far <= REFUSED_A_MINUTE

    async def _keep(self, workspace_id: UUID, items: Sequence[_Item]) -> Sequence[Kept | Exception | None]:
        with suppress(psycopg.Error):
            return await self._commit(workspace_id, items)
        # One of them cannot be kept: it must not keep the others from it, nor have those told that they are not.
        return [await self._alone(workspace_id, item) for item in items]

    async def _alone(self, workspace_id: UUID, item: _Item) -> Kept | Exception | None:
        try:
            return (await self._commit(workspace_id, [item]))[0]
        except psycopg.errors.ForeignKeyViolation:
            return None
        except (psycopg.Error, Unavailable) as error:
            return error

    async def _commit(self, workspace_id: UUID, items: Sequence[_Item]) -> Sequence[Kept | None]:
        order = sorted(range(len(items)), key=lambda place: items[place].order)
        calls: dict[UUID, list[UUID]] = {}
        for item in items:
            calls.setdefault(item.delivery.webhook_id, []).append(item.delivery.id)
        statements = [events.take_in(workspace_id), *(items[place].statement() for place in order)]
        statements += [webhooks.count_kept(workspace_id, *each) for each in sorted(calls.items())]
        statements += [item.noted for item in items if item.noted is not None]
        answers = await self._database.run(workspace_id, *statements)
        found: list[Kept | None] = [None] * len(items)
        for place, rows in zip(order, answers[1:], strict=False):
            found[place] = Kept(rows[0][0], rows[0][1] or ()) if rows else None
        return found

    async def _count(self, workspace_id: UUID, webhook_ids: Sequence[UUID]) -> Sequence[None]:
        await self._database.run(
            workspace_id,
            *(webhooks.count_refused(workspace_id, each, webhook_ids.count(each)) for each in sorted(set(webhook_ids))),
        )
        return [None] * len(webhook_ids)


def _too_many() -> Unavailable:
    return Unavailable("too_many_deliveries", "Too many deliveries come at once; try again later.")


def _minute() -> int:
    return int(time.monotonic() // 60)
