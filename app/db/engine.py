"""The connection pool and the transaction every query runs in: one workspace at a time. No query lives here.

Row-level security shows a transaction only the rows of the workspace it names. A role that bypasses row-level security
would see all tenants at once, so a connection of such a role is refused before its first query.
"""

import select
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.db.values import dump_json
from app.settings import Settings

CONNECT_TIMEOUT_SECONDS = 5
POOL_SIZE = 20
"""Connections of a process. None beyond them for a moment: to open and close one costs more than most queries."""
POOL_TIMEOUT_SECONDS = 10

_ON_CONNECT = """
    SELECT rolname, rolsuper OR rolbypassrls,
           set_config('TimeZone', 'UTC', false),
           set_config('statement_timeout', '30s', false),
           set_config('idle_in_transaction_session_timeout', '60s', false)
    FROM pg_roles WHERE rolname = current_user
"""
_SET_WORKSPACE = "SELECT set_config('holdfast.workspace_id', %s, true)"

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
    """A pool of connections to PostgreSQL. Connects on first use and again after the server was away."""

    def __init__(self, settings: Settings, *, on_failure: Callable[[str], Exception] = DatabaseUnavailable) -> None:
        """`on_failure` makes the exception raised when the database cannot be reached, from a sentence for people."""
        if not settings.database_url:
            raise ValueError(
                "HOLDFAST_DATABASE_URL is not set: give the postgresql:// URL of the role Holdfast works as"
            )
        self._on_failure = on_failure
        self._engine = create_async_engine(
            driver_url(settings.database_url),
            pool_size=POOL_SIZE,
            max_overflow=0,
            # The one used last knows the statements already; those not needed stay idle.
            pool_use_lifo=True,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            json_serializer=dump_json,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "holdfast"},
        )
        event.listen(self._engine.sync_engine, "connect", _prepare_connection)
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed_connection)

    @asynccontextmanager
    async def transaction(self, workspace_id: UUID) -> AsyncIterator[AsyncSession]:
        """A transaction that sees and writes the rows of one workspace; commits unless the block raises.

        Raises what `on_failure` makes when the database cannot be reached, here or inside the block.
        """
        with self._translated():
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                connection = await session.connection()
                driver: Any = (await connection.get_raw_connection()).driver_connection
                # Together in one round trip.
                async with driver.pipeline():
                    await driver.execute("BEGIN")
                    await driver.execute(_SET_WORKSPACE, (str(workspace_id),))
                yield session

    async def run(self, workspace_id: UUID, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        """A transaction of these statements, sent in one round trip; answers with the rows of each.

        All of them happen or none. For what is written very often: it costs a third of `transaction`. Raises psycopg's
        errors, or what `on_failure` makes when the database cannot be reached.
        """
        with self._translated():
            async with self._engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                # What a pipeline holds between two synchronisations is one transaction, and this one synchronises at
                # its end. Should that ever not hold, the workspace would be unset and every statement refused.
                async with driver.pipeline():
                    await driver.execute(_SET_WORKSPACE, (str(workspace_id),))
                    cursors = [await driver.execute(each.sql, each.parameters) for each in statements]
                return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]

    async def scalar(self, statement: str) -> Any:
        """The single value of a statement that touches no workspace's rows."""
        with self._translated():
            async with self._engine.connect() as connection:
                return (await connection.execute(text(statement))).scalar()

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self._engine.dispose()

    @contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except PoolTimeout as error:
            raise self._on_failure("All database connections are in use; try again in a moment.") from error
        except (DBAPIError, psycopg.Error) as error:
            if not _is_down(error):
                raise
            raise self._on_failure(
                "The database cannot be reached, or takes no work now; try again in a moment."
            ) from error


def _is_down(error: DBAPIError | psycopg.Error) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(_DOWN_STATES)


def _prepare_connection(connection: Any, _record: object) -> None:
    # Transactions are begun by `transaction` and `run` themselves.
    connection.autocommit = True
    cursor = connection.cursor()
    try:
        cursor.execute(_ON_CONNECT)
        role, bypasses = cursor.fetchone()[:2]
    finally:
        cursor.close()
    if bypasses:
        connection.close()
        raise RoleBypassesRowSecurity(
            f'the database role "{role}" can bypass row-level security (superuser or BYPASSRLS), which would open '
            "every workspace to every other: let HOLDFAST_DATABASE_URL name the role that `holdfast migrate` makes"
        )


def _refuse_closed_connection(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool make a new connection for one the server closed while it was idle.

    An idle connection has nothing to read but the news of its end, so that looking costs no round trip, as a ping does.
    """
    driver = connection.driver_connection
    news = select.poll()
    if not driver.closed:
        news.register(driver.fileno(), select.POLLIN)
    if driver.closed or news.poll(0):
        raise DisconnectionError("this connection was closed while it was idle")
