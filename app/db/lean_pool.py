"""Connections kept open for `Database.run`: psycopg's own, lent and taken back without SQLAlchemy, whose pool and
greenlets take longer than a small query does. How one is made and what is sent over it stand in `engine`. (The pool of
psycopg itself does not fit: it connects in background tasks, so that a role refused or a server away shows only as a
wait that runs out, and it lends the connection not used for longest.)
"""

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class AllInUse(Exception):
    """Every connection was in use for as long as a caller may wait."""


class LeanPool:
    """Up to `size` connections, made by `connect` when needed. Belongs to the event loop that uses it, first use on."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, size: int, wait_seconds: float) -> None:
        """`connect` gives a connection in autocommit mode, ready for use; `wait_seconds` bounds waiting for one."""
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self.lent = 0
        """Connections in use."""

    @property
    def idle(self) -> int:
        """Connections kept for the next one."""
        return len(self._idle)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend the connection used last, or a new one. The block ends its transactions.

        It is kept only when the block ends well and no transaction is open. Whatever is raised in the block,
        cancellation too, closes it: a new one costs less than being wrong about the state of the old. Raises
        `AllInUse`, and what `connect` raises.
        """
        await self._enter()
        self.lent += 1
        try:
            kept = self._idle
            connection = await self._usable() or await self._connect()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            # Another list by now: the pool was closed meanwhile.
            if kept is self._idle and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()
        finally:
            self.lent -= 1
            self._places.release()

    async def close(self) -> None:
        """Close the connections: idle ones now, those in use when they come back. The pool can be used again."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _enter(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise AllInUse from error

    async def _usable(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not was_closed(connection):
                return connection
            await connection.close()
        return None


def was_closed(connection: Connection) -> bool:
    """Whether an idle connection was closed, by the server too.

    An idle connection has nothing to read but the news of its end, so that looking costs no round trip, as a ping does.
    """
    if connection.closed:
        return True
    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    return bool(news.poll(0))
