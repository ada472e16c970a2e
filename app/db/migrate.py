"""Bring a database to the present shape and make the roles Holdfast works as. Shapes themselves stand in `migrations/`.

All of it is one transaction under one advisory lock: two processes that start at once migrate one after the other, and
a migration that fails leaves nothing behind.
"""

from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from app.db import platform_role
from app.db.engine import LIVENESS, Database, driver_url

_LOCK = 0x486F6C6466617374
"""Advisory lock number: "Holdfast" in ASCII."""


class MigrationRefused(Exception):
    """The roles or URLs given do not keep workspaces apart; the message says which and what to change."""


def migrate(owner_url: str, app_url: str, platform_url: str | None = None) -> None:
    """Upgrade to the newest revision as the owner of the tables, then make (if missing) and admit the app's role and
    the platform's (`app.db.platform_role`; by default named after the app's).

    All are `postgresql://` URLs of the same database; the roles are their users. Safe to call again and from several
    processes at once. Raises `MigrationRefused` when a role is the owner or can bypass row-level security, or when the
    app's could become the platform's.
    """
    owner, app = driver_url(owner_url), driver_url(app_url)
    if not app.username:
        raise MigrationRefused("the URL Holdfast works with names no user: postgresql://USER:PASSWORD@HOST/DATABASE")
    platform = driver_url(platform_role.platform_url(app_url, platform_url))
    if not platform.username or platform.username == app.username:
        raise MigrationRefused("HOLDFAST_PLATFORM_DATABASE_URL must name a user of its own, not the application's")
    named = {name: value for name, value in LIVENESS.items() if name not in owner.query}
    engine = create_engine(owner, poolclass=NullPool, connect_args={**named, "application_name": "holdfast migrate"})
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _ensure_role(connection, app.username, app.password)
        _ensure_role(connection, platform.username, platform.password)
        _keep_apart(connection, app.username, platform.username)
        command.upgrade(_config(connection), "head")
        _grant(connection, app.username)
        platform_role.admit(_driver(connection), platform.username)
    engine.dispose()


@cache
def head_revision() -> str | None:
    """The newest revision this program knows."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


async def database_revision(database: Database) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    if await database.scalar("SELECT to_regclass('alembic_version')") is None:
        return None
    revision = await database.scalar("SELECT version_num FROM alembic_version")
    return None if revision is None else str(revision)


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _ensure_role(connection: Connection, name: str, password: str | None) -> None:
    driver = _driver(connection)
    if driver.execute("SELECT current_user").fetchone() == (name,):
        raise MigrationRefused(f'Holdfast must not work as "{name}", the owner of the tables: name another role')
    role = driver.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    if role is None:
        _create_role(driver, name, password)
    elif role[0]:
        raise MigrationRefused(
            f'the role "{name}" can bypass row-level security: ALTER ROLE ... NOSUPERUSER NOBYPASSRLS, or name another'
        )


def _keep_apart(connection: Connection, app: str, platform: str) -> None:
    together = _driver(connection).execute(
        "SELECT pg_has_role(%(app)s, %(platform)s, 'MEMBER') OR pg_has_role(%(platform)s, %(app)s, 'MEMBER')",
        {"app": app, "platform": platform},
    )
    if together.fetchone() == (True,):
        raise MigrationRefused(
            f'one of the roles "{app}" and "{platform}" is a member of the other, which would open every workspace to '
            "every other: REVOKE that, or name another in HOLDFAST_PLATFORM_DATABASE_URL"
        )


def _create_role(driver: psycopg.Connection, name: str, password: str | None) -> None:
    create = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE").format(
        sql.Identifier(name)
    )
    if password:
        # Hashed here, so that the password itself never stands in a server's log of statements.
        hashed = driver.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        create += sql.SQL(" PASSWORD {}").format(sql.Literal(hashed))
    try:
        with driver.transaction():
            driver.execute(create)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        # Roles belong to the server, the lock to one database: a migration of another one was first.
        return


def _grant(connection: Connection, name: str) -> None:
    driver, role = _driver(connection), sql.Identifier(name)
    for statement in (
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
        "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
        # All that is the workspace's would go with its row.
        "REVOKE UPDATE, DELETE ON workspaces FROM {}",
        # Its state is the platform's to change: the audit log may be forgotten of one that is being deleted.
        "GRANT UPDATE (settings, plan, plan_overrides, history_days) ON workspaces TO {}",
        "REVOKE UPDATE, DELETE ON audit_log FROM {}",
        "GRANT EXECUTE ON FUNCTION purge_audit_log(integer, integer), forget_audit_log(integer) TO {}",
    ):
        driver.execute(sql.SQL(statement).format(role))


def _driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver
