"""Migrations make what the models say and a role that is kept apart, also when several processes begin at once."""

import asyncio

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from app.db.engine import Database, driver_url
from app.db.migrate import MigrationRefused, database_revision, head_revision, migrate
from app.db.migrate import _config as migrations_config
from app.db.models import Base
from app.settings import Settings
from tests.conftest import DatabaseUrls


@pytest.fixture
def empty(database_urls: DatabaseUrls) -> DatabaseUrls:
    """URLs of a new database of the same server, with a role of its own whose name and password need quoting."""
    name = f"t{uuid7().hex}"
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    owner_url = driver_url(database_urls.owner).set(database=name, drivername="postgresql")
    app_url = owner_url.set(username=f'a "role" of {name}', password='it\'s "a" p@ss:w/ord')
    return DatabaseUrls(owner_url.render_as_string(hide_password=False), app_url.render_as_string(hide_password=False))


async def test_migrations_make_exactly_what_the_models_say(database_urls):
    engine = create_engine(driver_url(database_urls.owner), poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


async def test_migrations_run_from_four_processes_at_once_come_one_after_the_other(empty):
    await asyncio.gather(*(asyncio.to_thread(migrate, empty.owner, empty.app) for _ in range(4)))
    database = Database(Settings(database_url=empty.app))
    try:
        assert await database_revision(database) == head_revision() is not None
    finally:
        await database.close()


async def test_migrations_of_two_databases_may_make_the_same_role_at_once(database_urls):
    names = [f"t{uuid7().hex}" for _ in range(2)]
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        for name in names:
            owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    owner_url = driver_url(database_urls.owner).set(drivername="postgresql")
    pairs = [
        (owner_url.set(database=name), owner_url.set(database=name, username=f"role_{names[0]}")) for name in names
    ]
    texts = [tuple(url.render_as_string(hide_password=False) for url in pair) for pair in pairs]
    await asyncio.gather(*(asyncio.to_thread(migrate, *pair) for pair in texts))
    for _, app in texts:
        with psycopg.connect(app) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


async def test_migrations_say_of_a_new_database_that_it_has_no_revision(empty, database_urls):
    name = driver_url(empty.app).database
    url = driver_url(database_urls.app).set(database=name, drivername="postgresql")
    database = Database(Settings(database_url=url.render_as_string(hide_password=False)))
    try:
        assert await database_revision(database) is None
    finally:
        await database.close()


async def test_migrations_give_the_server_the_password_as_a_hash(empty):
    migrate(empty.owner, empty.app)
    role = driver_url(empty.app).username
    with psycopg.connect(empty.owner) as owner:
        found = owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone()
    assert found is not None
    assert found[0].startswith("SCRAM-SHA-256$")


async def test_migrations_refuse_the_owner_as_the_applications_role(empty):
    with pytest.raises(MigrationRefused, match="owner"):
        migrate(empty.owner, empty.owner)


async def test_migrations_refuse_a_role_that_bypasses_row_security(empty):
    role = f"bypass_{uuid7().hex}"
    with psycopg.connect(empty.owner, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS").format(sql.Identifier(role)))
    url = driver_url(empty.app).set(username=role, drivername="postgresql")
    with pytest.raises(MigrationRefused, match="bypass"):
        migrate(empty.owner, url.render_as_string(hide_password=False))


async def test_migrations_refuse_an_address_without_a_user(empty):
    url = driver_url(empty.app)
    nobody = f"postgresql:///{url.database}"
    with pytest.raises(MigrationRefused, match="names no user"):
        migrate(empty.owner, nobody)


async def test_migrations_say_of_failing_connections_that_they_are_in_error_whoever_owns_the_tables(empty):
    """An owner that is no superuser is bound by row-level security like everybody, but where a migration lifts it."""
    migrate(empty.owner, empty.app)
    owner_role, ids = f"owner_{uuid7().hex}", [uuid7(), uuid7()]
    engine = create_engine(driver_url(empty.owner), poolclass=NullPool)
    with engine.begin() as connection:
        command.downgrade(migrations_config(connection), "0021")
        rows = "INSERT INTO connections (workspace_id, id, kind, name, status) VALUES (:id, :id, 'x', 'x', 'failing')"
        connection.execute(text(rows), [{"id": workspace} for workspace in ids])
        connection.execute(text(f"CREATE ROLE {owner_role} NOSUPERUSER"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {owner_role}"))
        for table in ("connections", "alembic_version"):
            connection.execute(text(f"ALTER TABLE {table} OWNER TO {owner_role}"))
        connection.execute(text(f"SET ROLE {owner_role}"))
        command.upgrade(migrations_config(connection), "0022")
    with psycopg.connect(empty.owner) as owner:
        assert owner.execute("SELECT DISTINCT status, count(*) FROM connections GROUP BY 1").fetchall() == [
            ("error", 2)
        ]
        found = owner.execute("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'connections'").fetchone()
        assert found == (True,)
