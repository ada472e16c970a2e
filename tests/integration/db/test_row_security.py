"""No workspace sees or writes another's rows, whatever SQL the application's role sends."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Table
from uuid_utils.compat import uuid7

from app.db.engine import Database, RoleBypassesRowSecurity, Statement, driver_url
from app.db.models import Base
from app.db.platform_role import platform_url
from app.settings import Settings
from tests.conftest import DatabaseUrls
from tests.support.rows import TABLES, insert, rows_of

NAMES = [table.name for table in TABLES]
CHANGEABLE = [name for name in NAMES if name != "audit_log"]
"""Those the role may change: of the log nobody may, see `test_audit_log.py`."""
NOBODY = UUID(int=0)


async def enter(connection: psycopg.AsyncConnection, workspace: UUID | str) -> None:
    await connection.execute("SELECT set_config('holdfast.workspace_id', %s, false)", [str(workspace)])


@pytest.fixture
async def mine() -> UUID:
    return uuid7()


@pytest.fixture
async def theirs(database_urls: DatabaseUrls) -> UUID:
    """A workspace with a row in every table."""
    workspace = uuid7()
    async with await psycopg.AsyncConnection.connect(database_urls.app) as connection:
        await enter(connection, workspace)
        for table in TABLES:
            await connection.execute(*insert(table, rows_of(workspace)[table.name]))
    return workspace


@pytest.fixture
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection as the application's role that commits nothing."""
    connection = await psycopg.AsyncConnection.connect(database_urls.app)
    yield connection
    await connection.rollback()
    await connection.close()


class TestEveryTable:
    @pytest.mark.parametrize("table", NAMES)
    async def test_shows_a_workspace_its_own_rows_alone(self, connection, theirs, mine, table):
        count = sql.SQL("SELECT count(*) FROM {} WHERE workspace_id = {}").format(sql.Identifier(table), theirs)
        await enter(connection, theirs)
        assert await (await connection.execute(count)).fetchone() == (1,)
        await enter(connection, mine)
        assert await (await connection.execute(count)).fetchone() == (0,)

    @pytest.mark.parametrize("table", NAMES)
    async def test_shows_nothing_when_no_workspace_is_named(self, connection, theirs, table):
        for workspace in (None, ""):
            if workspace is not None:
                await enter(connection, workspace)
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            assert await (await connection.execute(count)).fetchone() == (0,)

    @pytest.mark.parametrize("table", TABLES, ids=NAMES)
    async def test_takes_no_row_of_another_workspace(self, connection, mine, table):
        stranger = uuid7()
        await enter(connection, mine)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            await connection.execute(*insert(table, rows_of(stranger)[table.name]))

    @pytest.mark.parametrize("table", CHANGEABLE)
    async def test_changes_and_deletes_no_row_of_another_workspace(self, connection, theirs, mine, table):
        await enter(connection, mine)
        name = sql.Identifier(table)
        # Of a workspace's own row it cannot change the id, even to what it is.
        change = (
            "UPDATE {} SET settings = '{{}}'" if table == "workspaces" else "UPDATE {} SET workspace_id = workspace_id"
        )
        assert (await connection.execute(sql.SQL(change).format(name))).rowcount == 0
        if table != "workspaces":  # whose rows it cannot delete at all
            assert (await connection.execute(sql.SQL("DELETE FROM {}").format(name))).rowcount == 0
        await enter(connection, theirs)
        count = await connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
        assert await count.fetchone() == (1,)

    @pytest.mark.parametrize("table", [name for name in CHANGEABLE if name not in ("versions", "workspaces")])
    async def test_hands_no_row_over_to_another_workspace(self, connection, theirs, mine, table):
        await enter(connection, theirs)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            await connection.execute(sql.SQL("UPDATE {} SET workspace_id = {}").format(sql.Identifier(table), mine))

    async def test_is_guarded_and_the_guard_binds_its_owner_too(self, connection):
        found = await connection.execute(
            """
            SELECT relname, relrowsecurity, relforcerowsecurity,
                   EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'workspace_id')
            FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            """
        )
        guards = {name: rest for name, *rest in await found.fetchall()}
        assert guards.pop("alembic_version") == [False, False, False]
        assert guards == {name: [True, True, True] for name in NAMES}

    async def test_begins_its_primary_key_with_the_workspace(self):
        """But where an index that begins so would be taken for one that finds what an event looks for (0018)."""
        assert {table.name: next(iter(table.primary_key)).name for table in TABLES} == {
            **dict.fromkeys(NAMES, "workspace_id"),
            "subscriptions": "workflow_id",
            "waits": "run_id",
        }

    async def test_has_the_workspace_in_every_unique_key(self, connection):
        """Else a key that is taken would tell of another workspace's row."""
        found = await connection.execute(
            """
            SELECT indexrelid::regclass::text FROM pg_index
            WHERE indisunique AND indrelid::regclass::text = ANY(%s) AND NOT EXISTS (
                SELECT FROM pg_attribute
                WHERE attrelid = indrelid AND attnum = ANY(indkey) AND attname = 'workspace_id')
            """,
            [NAMES],
        )
        assert await found.fetchall() == []


class TestTheApplicationsRole:
    async def test_cannot_bypass_row_security(self, connection):
        found = await connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert await found.fetchone() == (False, False, False, False)

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE runs NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
            "DROP POLICY workspace ON runs",
            "DROP TABLE runs CASCADE",
            "TRUNCATE runs CASCADE",
            "ALTER TABLE versions DISABLE TRIGGER versions_immutable",
            "UPDATE alembic_version SET version_num = '0000'",
            "DELETE FROM workspaces",
            "UPDATE workspaces SET state = 'deleting'",
            "UPDATE workspaces SET workspace_id = gen_random_uuid()",
            "CREATE TABLE mine (id int)",
        ],
    )
    async def test_cannot_lift_the_guard(self, connection, statement):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)

    async def test_is_shown_no_rows_with_row_security_off(self, connection, theirs):
        await connection.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("SELECT * FROM runs")

    async def test_cannot_change_a_published_version(self, connection, theirs):
        await enter(connection, theirs)
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="versions are immutable"):
            await connection.execute("UPDATE versions SET comment = 'other'")

    async def test_that_bypasses_row_security_is_refused_before_its_first_query(self, database_urls, theirs):
        database = Database(Settings(database_url=database_urls.owner))
        try:
            with pytest.raises(RoleBypassesRowSecurity, match="can bypass row-level security"):
                await database.scalar("SELECT 1")
            with pytest.raises(RoleBypassesRowSecurity, match="can bypass row-level security"):
                await database.run(theirs, Statement("SELECT count(*) FROM runs", {}))
        finally:
            await database.close()

    @pytest.mark.parametrize("whose", ["platform", "owner"])
    async def test_cannot_become_another_role(self, connection, database_urls, whose):
        url = database_urls.owner if whose == "owner" else platform_url(database_urls.app)
        role = sql.Identifier(str(driver_url(url).username))
        for statement in ("SET ROLE {}", "SET SESSION AUTHORIZATION {}", "GRANT {} TO CURRENT_USER"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(sql.SQL(statement).format(role))
            await connection.rollback()

    async def test_is_answered_by_no_function_as_another_role(self, connection):
        found = await connection.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1"
        )
        # These delete what the log keeps no longer, and say how much that was: see `test_audit_log.py`.
        assert await found.fetchall() == [("forget_audit_log",), ("purge_audit_log",)]

    async def test_writes_nothing_for_a_workspace_that_is_not_there(self, connection, mine):
        """Tables whose rows hang on those of others are guarded by these."""
        roots = [table for table in TABLES if _hangs_on(table) == {"workspaces"}]
        assert len(roots) > 5
        for table in roots:
            await enter(connection, mine)
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                await connection.execute(*insert(table, rows_of(mine)[table.name]))
            await connection.rollback()

    def test_has_no_table_whose_rows_hang_on_nothing(self):
        assert [table.name for table in TABLES if not _hangs_on(table) and table.name != "workspaces"] == []

    @pytest.mark.parametrize(("whose", "role"), [("theirs", "platform"), ("nobody's", "admin")])
    async def test_keeps_platform_keys_apart_from_all_others(self, connection, theirs, whose, role):
        where = theirs if whose == "theirs" else NOBODY
        await enter(connection, where)
        row = rows_of(where)["api_keys"] | {"id": uuid7(), "role": role}
        with pytest.raises(psycopg.errors.CheckViolation, match="api_keys_role"):
            await connection.execute(*insert(Base.metadata.tables["api_keys"], row))


def _hangs_on(table: Table) -> set[str]:
    return {key.column.table.name for key in table.foreign_keys}


READABLE = {
    "workspaces": {column.name for column in Base.metadata.tables["workspaces"].columns},
    "runs": {"workspace_id", "id"},
    "members": {"workspace_id", "subject", "role", "last_seen_at"},
}
"""What the platform's role may read: all else is refused, whatever the workspace."""
WRITABLE = {
    ("workspaces", "UPDATE"): ("name", "state", "state_changed_at"),
    ("workspaces", "DELETE"): (),
}
"""What it may write, with the columns where a right is one of columns: all else is refused, and so is each INSERT."""


@pytest.fixture
async def platform(database_urls: DatabaseUrls) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection as the platform's role that commits nothing."""
    connection = await psycopg.AsyncConnection.connect(platform_url(database_urls.app))
    yield connection
    await connection.rollback()
    await connection.close()


class TestThePlatformsRole:
    @pytest.mark.parametrize("table", TABLES, ids=NAMES)
    async def test_reads_what_it_needs_and_nothing_else(self, platform, theirs, table):
        for workspace in (theirs, ""):
            for column in table.columns:
                await enter(platform, workspace)
                select = sql.SQL("SELECT {} FROM {} LIMIT 1").format(
                    sql.Identifier(column.name), sql.Identifier(table.name)
                )
                if column.name in READABLE.get(table.name, set()):
                    assert await (await platform.execute(select)).fetchone() is not None
                else:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        await platform.execute(select)
                await platform.rollback()

    @pytest.mark.parametrize("table", TABLES, ids=NAMES)
    async def test_writes_nothing_but_names_and_states_of_workspaces(self, platform, theirs, table):
        # With DEFAULT: to set a column to what it is takes the right to read it, and would be refused for that alone.
        for verb, text in (
            ("UPDATE", "UPDATE {table} SET {column} = DEFAULT WHERE false"),
            ("INSERT", "INSERT INTO {table} ({column}) VALUES (DEFAULT)"),
        ):
            for column in table.columns:
                statement = sql.SQL(text).format(table=sql.Identifier(table.name), column=sql.Identifier(column.name))
                await self.may(platform, theirs, statement, column.name in WRITABLE.get((table.name, verb), ()))
        for verb, text in (("DELETE", "DELETE FROM {} WHERE false"), ("TRUNCATE", "TRUNCATE {} CASCADE")):
            statement = sql.SQL(text).format(sql.Identifier(table.name))
            await self.may(platform, theirs, statement, (table.name, verb) in WRITABLE)

    async def may(self, platform: psycopg.AsyncConnection, where: UUID, statement: sql.Composed, so: bool) -> None:
        """That the role may do this, or may not; nothing stays of it."""
        await enter(platform, where)
        with nullcontext() if so else pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            await platform.execute(statement)
        await platform.rollback()

    async def test_cannot_take_back_that_a_workspace_is_deleted(self, platform, theirs):
        where = "WHERE workspace_id = %s"
        await platform.execute(f"UPDATE workspaces SET state = 'deleting' {where}", [theirs])
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays so"):
            await platform.execute(f"UPDATE workspaces SET state = 'active' {where}", [theirs])

    async def test_leaves_the_installations_own_row_alone(self, platform):
        for statement in ("UPDATE workspaces SET name = 'x'", "DELETE FROM workspaces"):
            changed = await platform.execute(f"{statement} WHERE workspace_id = %s", [NOBODY])
            assert changed.rowcount == 0

    async def test_cannot_bypass_row_security_or_become_another_role(self, platform, database_urls):
        found = await platform.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert await found.fetchone() == (False, False, False, False)
        role = sql.Identifier(str(driver_url(database_urls.app).username))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await platform.execute(sql.SQL("SET ROLE {}").format(role))
