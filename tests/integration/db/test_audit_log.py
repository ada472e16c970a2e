"""The audit log takes entries and gives none away: whatever SQL is sent, by the application's role or by the owner."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from tests.conftest import DatabaseUrls

INSERT = """
    INSERT INTO audit_log (workspace_id, id, at, actor_kind, actor_name, action, target_type)
    VALUES (%s, %s, now() - make_interval(days => %s), 'key', 'k', 'workflow.create', 'workflow')
"""


def an_id(days_old: int) -> UUID:
    moment = datetime.now(UTC) - timedelta(days=days_old)
    return UUID(int=int(moment.timestamp() * 1000) << 80 | uuid7().int & (1 << 80) - 1)


class Log:
    """A log with entries of 400, 100 and 0 days ago, seen over one connection that commits each statement."""

    def __init__(self, url: str) -> None:
        self.workspace = uuid7()
        self.connection = psycopg.connect(url, autocommit=True)
        self.enter(self.workspace)
        self.connection.execute("INSERT INTO workspaces (workspace_id, name) VALUES (%s, 'W')", [self.workspace])
        for days in (400, 100, 0):
            self.connection.execute(INSERT, [self.workspace, an_id(days), days])

    def enter(self, workspace: UUID | str) -> None:
        self.connection.execute("SELECT set_config('holdfast.workspace_id', %s, false)", [str(workspace)])

    def count(self) -> int:
        found = self.connection.execute(
            "SELECT count(*) FROM audit_log WHERE workspace_id = %s", [self.workspace]
        ).fetchone()
        assert found is not None
        return int(found[0])

    def call(self, function: str, *arguments: int | None) -> int:
        places = ", ".join(["%s::integer"] * len(arguments))
        found = self.connection.execute(f"SELECT {function}({places})", arguments).fetchone()  # type: ignore[arg-type]
        assert found is not None
        return int(found[0])


@pytest.fixture
def log(database_urls: DatabaseUrls) -> Iterator[Log]:
    """As the application's role."""
    made = Log(database_urls.app)
    yield made
    made.connection.close()


@pytest.fixture
def owners(database_urls: DatabaseUrls) -> Iterator[Log]:
    """As the owner of the tables."""
    made = Log(database_urls.owner)
    yield made
    made.connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor_name = 'somebody else'",
        "UPDATE audit_log SET id = id",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "SELECT * FROM audit_log FOR UPDATE",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (workspace_id, id) DO UPDATE SET actor_name = 'x'",
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only",
        "DROP TRIGGER audit_log_append_only ON audit_log",
        "CREATE OR REPLACE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE sql AS 'SELECT'",
    ],
)
def test_the_applications_role_may_add_and_read_and_nothing_else(log: Log, statement: str) -> None:
    log.connection.execute("SELECT set_config('holdfast.audit_deletion', 'on', false)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        log.connection.execute(statement)  # type: ignore[arg-type]
    assert log.count() == 3


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor_name = 'somebody else'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_the_owner_of_the_tables_is_refused_too(owners: Log, statement: str) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
        owners.connection.execute(statement)  # type: ignore[arg-type]
    assert owners.count() == 3


def test_what_is_older_than_it_is_kept_goes_some_at_a_time(log: Log) -> None:
    assert log.call("purge_audit_log", 365, 10) == 1
    assert log.call("purge_audit_log", 365, 10) == 0
    assert log.call("purge_audit_log", 30, 0) == 0
    assert log.call("purge_audit_log", 30, 10) == 1
    assert log.count() == 1


@pytest.mark.parametrize("days", [29, 0, -1, None])
def test_what_is_younger_than_thirty_days_is_never_purged(log: Log, days: int | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="30 days"):
        log.call("purge_audit_log", days, 10)
    assert log.count() == 3


def test_a_purge_leaves_the_door_shut_behind_it(owners: Log) -> None:
    with owners.connection.transaction():
        assert owners.call("purge_audit_log", 30, 1) == 1
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation), owners.connection.transaction():
            owners.connection.execute("DELETE FROM audit_log")
    assert owners.count() == 2


@pytest.mark.parametrize("stranger", ["another", ""])
def test_a_purge_touches_no_other_workspace(owners: Log, stranger: str) -> None:
    owners.enter(uuid7() if stranger else "")
    assert owners.call("purge_audit_log", 30, 10) == 0
    assert owners.call("forget_audit_log", 10) == 0
    assert owners.count() == 3, "the owner here is one that row-level security does not bind"


def test_the_log_of_a_workspace_goes_with_the_workspace(log: Log, owners: Log) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        log.call("forget_audit_log", 10)
    assert log.count() == 3
    delete = "UPDATE workspaces SET state = 'deleting' WHERE workspace_id = %s"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        log.connection.execute(delete, [log.workspace])
    owners.enter(log.workspace)
    owners.connection.execute(delete, [log.workspace])
    assert [log.call("forget_audit_log", 2) for _ in range(3)] == [2, 1, 0]
    assert log.count() == 0


def test_what_is_written_while_a_workspace_is_deleted_goes_with_its_row(owners: Log) -> None:
    owners.connection.execute("DELETE FROM workspaces WHERE workspace_id = %s", [owners.workspace])
    assert owners.count() == 0


def test_nobody_else_may_call_the_functions_that_delete(owners: Log) -> None:
    name = f"stranger_{owners.workspace.hex}"
    owners.connection.execute(f"CREATE ROLE {name}")  # type: ignore[arg-type]
    owners.connection.execute(f"SET ROLE {name}")  # type: ignore[arg-type]
    for function, arguments in (("purge_audit_log", (30, 1)), ("forget_audit_log", (1,))):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owners.call(function, *arguments)
    owners.connection.execute("RESET ROLE")
    owners.connection.execute(f"DROP ROLE {name}")  # type: ignore[arg-type]
