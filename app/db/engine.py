"""The connection pools and the transaction every query runs in: one workspace at a time. No query lives here.

Row-level security shows a transaction only the rows of the workspace it names. A role that bypasses row-level security
would see all tenants at once, so a connection of such a role is refused before its first query.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.db.lean_pool import AllInUse, Connection, LeanPool, was_closed
from app.db.values import dump_json
from app.settings import Settings

CONNECT_TIMEOUT_SECONDS = 5
LIVENESS: Mapping[str, int] = MappingProxyType(
    {
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
)
"""libpq's names for how soon a server that says nothing any more is held to be gone: half a minute, where the kernel
would wait for a quarter of an hour, and on a connection that only listens for hours. What the URL says goes before.
Nothing of it concerns a Unix socket."""
POOL_SIZE = 10
"""Connections of each of a process's two pools: one for `run`, one for the rest. None beyond them for a moment: to open
and close one costs more than most queries."""
POOL_TIMEOUT_SECONDS = 10

_ON_CONNECT = """
    SELECT rolname, rolsuper OR rolbypassrls,
           set_config('TimeZone', 'UTC', false),
           set_config('statement_timeout', '30s', false),
           set_config('idle_in_transaction_session_timeout', '60s', false)
    FROM pg_roles WHERE rolname = current_user
"""
_SET_WORKSPACE = "SELECT set_config('holdfast.workspace_id', %s, true)"
# Two statements in one message of the simple protocol, which takes no parameters: a pipeline would cost about an
# eighth of what a small transaction does. What stands in there is a UUID's own text.
_BEGIN = "BEGIN; SELECT set_config('holdfast.workspace_id', '{}', true)"
# A message is no record: nobody waits for the disk, least of all under the lock that orders messages.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"

# SQLSTATEs, or how they begin, of what the same again may get past: lost or refused connections, a server that shuts
# down, has no room or has become read-only; a deadlock, a statement that waited or took too long.
_DOWN_STATES = ("08", "53", "57P", "25006", "40", "55P03", "57014")


class DatabaseUnavailable(Exception):
    """The database cannot be reached or takes no work now; the same again may work in a moment."""


class RoleBypassesRowSecurity(Exception):
    """The configured role would see every workspace's rows; Holdfast does not work as such a role."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement in psycopg's spelling (`%(name)s`) with its parameters."""

    sql: LiteralString
    parameters: Mapping[str, Any]


def driver_url(url: str) -> URL:
    """A libpq URL (`postgresql://...`, with `?host=/socket/dir` if need be) as SQLAlchemy's for psycopg 3."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError("the database URL must begin with postgresql://; PostgreSQL is the only database")
    return parsed.set(drivername="postgresql+psycopg")


class Database:
    """The connections of a process to PostgreSQL. Connects on first use and again after the server was away."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_failure: Callable[[str], Exception] = DatabaseUnavailable,
        pool_size: int | None = None,
    ) -> None:
        """`on_failure` makes the exception raised when the database cannot be reached, from a sentence for people;
        `pool_size` is as `POOL_SIZE`."""
        if not settings.database_url:
            raise ValueError(
                "HOLDFAST_DATABASE_URL is not set: give the postgresql:// URL of the role Holdfast works as"
            )
        self._on_failure = on_failure
        self._pool_size = pool_size or POOL_SIZE
        self._engine = create_async_engine(
            driver_url(settings.database_url),
            async_creator=self._connect,
            pool_size=self._pool_size,
            max_overflow=0,
            # The one used last knows the statements already; those not needed stay idle.
            pool_use_lifo=True,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            json_serializer=dump_json,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed_connection)
        self._lean = LeanPool(self._connect, size=self._pool_size, wait_seconds=POOL_TIMEOUT_SECONDS)

    @asynccontextmanager
    async def transaction(self, workspace_id: UUID) -> AsyncIterator[AsyncSession]:
        """A transaction that sees and writes the rows of one workspace; commits unless the block raises.

        Raises what `on_failure` makes when the database cannot be reached, here or inside the block.
        """
        with self._translated():
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                connection = await session.connection()
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.execute(_BEGIN.format(UUID(hex=workspace_id.hex)), prepare=False)
                yield session

    async def run(self, workspace_id: UUID, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        """A transaction of these statements, sent in one round trip; answers with the rows of each.

        All of them happen or none. For what is written very often: it costs a sixth of `transaction`. Raises psycopg's
        errors, or what `on_failure` makes when the database cannot be reached.
        """
        with self._translated():
            async with self._lean.connection() as connection:
                # What a pipeline holds between two synchronisations is one transaction, and this one synchronises at
                # its end. Should that ever not hold, the workspace would be unset and every statement refused.
                async with connection.pipeline():
                    await connection.execute(_SET_WORKSPACE, (str(workspace_id),))
                    cursors = [await connection.execute(each.sql, each.parameters) for each in statements]
                # (`description` would make an object of each column to say the same.)
                return [await cursor.fetchall() if cursor.rownumber is not None else [] for cursor in cursors]

    async def run_in_turn(
        self, workspace_id: UUID, *transactions: Sequence[Statement]
    ) -> list[list[list[tuple[Any, ...]]]]:
        """As `run`, for several transactions one after the other, sent in one round trip all the same: each is
        committed before the next one begins. Answers with the rows of each one's statements. Where one fails the later
        ones are done and what they gave is lost: they only look, or may be repeated."""
        with self._translated():
            async with self._lean.connection() as connection:
                cursors: list[list[Any]] = []
                async with connection.pipeline() as pipeline:
                    for statements in transactions:
                        if cursors:
                            await pipeline.sync()
                        await connection.execute(_SET_WORKSPACE, (str(workspace_id),))
                        cursors.append([await connection.execute(each.sql, each.parameters) for each in statements])
                return [
                    [await cursor.fetchall() if cursor.rownumber is not None else [] for cursor in each]
                    for each in cursors
                ]

    async def notify(self, channel: str, message: str) -> None:
        """Send a message of less than 8,000 bytes to all who listen to the channel."""
        with self._translated():
            async with self._lean.connection() as connection:
                await connection.execute(_NOTIFY, (channel, message))

    @asynccontextmanager
    async def listening(self, channel: LiteralString) -> AsyncIterator[AsyncIterator[str]]:
        """The messages of a channel from now on, over a connection of its own; they end with an error when it does."""
        with self._translated():
            async with await self._connect() as connection:
                await connection.execute(f"LISTEN {channel}")
                yield (notice.payload async for notice in connection.notifies())

    async def scalar(self, statement: str) -> Any:
        """The single value of a statement that touches no workspace's rows."""
        with self._translated():
            async with self._engine.connect() as connection:
                return (await connection.execute(text(statement))).scalar()

    def usage(self) -> dict[str, tuple[int, int, int]]:
        """How many connections of each pool are `(in use, idle)`, and how many it may have at most: `lean` is that of
        `run`, `session` the other."""
        pool: Any = self._engine.sync_engine.pool
        return {
            "lean": (self._lean.lent, self._lean.idle, self._pool_size),
            "session": (pool.checkedout(), pool.checkedin(), self._pool_size),
        }

    async def close(self) -> None:
        """Close every connection."""
        await self._lean.close()
        await self._engine.dispose()

    async def _connect(self) -> Connection:
        # What SQLAlchemy would connect with: JSON is written by `dump_json` in both pools.
        positional, named = self._engine.dialect.create_connect_args(self._engine.url)
        named = {
            **LIVENESS,
            **named,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "holdfast",
        }
        # Transactions are begun by `transaction` and `run` themselves.
        connection = await psycopg.AsyncConnection.connect(*positional, **named, autocommit=True)
        try:
            await _prepare(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    @contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except (PoolTimeout, AllInUse) as error:
            raise self._on_failure("All database connections are in use; try again in a moment.") from error
        except (DBAPIError, psycopg.Error) as error:
            if not is_down(error):
                raise
            raise self._on_failure(
                "The database cannot be reached, or takes no work now; try again in a moment."
            ) from error


async def execute(session: AsyncSession, statement: Statement) -> list[tuple[Any, ...]]:
    """A statement inside a transaction of `Database.transaction`, after what the session has to write; its rows."""
    await session.flush()
    driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
    cursor = await driver.execute(statement.sql, statement.parameters)
    return await cursor.fetchall() if cursor.rownumber is not None else []


def is_down(error: BaseException) -> bool:
    """Whether it says that the database cannot be reached, or takes no work now."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(_DOWN_STATES)


async def _prepare(connection: Connection) -> None:
    ((role, bypasses, *_),) = await (await connection.execute(_ON_CONNECT)).fetchall()
    if bypasses:
        raise RoleBypassesRowSecurity(
            f'the database role "{role}" can bypass row-level security (superuser or BYPASSRLS), which would open '
            "every workspace to every other: let HOLDFAST_DATABASE_URL name the role that `holdfast migrate` makes"
        )


def _refuse_closed_connection(connection: Any, _record: object, _proxy: object) -> None:
    """Have SQLAlchemy's pool make a new connection for one the server closed while it was idle."""
    if was_closed(connection.driver_connection):
        raise DisconnectionError("this connection was closed while it was idle")
