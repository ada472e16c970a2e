"""The audit log under upkeep, while the database is away, and with many entries."""

import dataclasses
import logging
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from app.db.engine import Statement
from app.services import audit, purging, upkeep
from app.services.audit import Asking, asking
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.settings import Settings
from app.temporal.upkeep import Duty, Look
from tests.conftest import TestWorkspace

# Ids that say when they were made, as `at` does.
ADD = """
    INSERT INTO audit_log (workspace_id, id, at, actor_kind, actor_id, actor_name, action, target_type, target_id)
    SELECT %(workspace_id)s, (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
               || '7000' || '8000' || lpad(to_hex(number), 12, '0'))::uuid,
           moment, 'key', 'actor ' || number %% 50, 'k', 'workflow.create', 'workflow', 'target ' || number %% 500
    FROM generate_series(1, %(count)s) AS number,
         LATERAL (SELECT now() - make_interval(days => %(days)s, secs => number) AS moment) AS dated
"""


async def add(platform: Platform, workspace_id: UUID, count: int, *, days: int) -> None:
    statement = Statement(ADD, {"workspace_id": workspace_id, "count": count, "days": days})
    await platform.database.run(workspace_id, statement)


async def count(platform: Platform, workspace_id: UUID) -> int:
    [[[found]]] = await platform.database.run(workspace_id, Statement("SELECT count(*) FROM audit_log", {}))
    return int(found)


def keeping(platform: Platform, days: int) -> Platform:
    settings = platform.settings.model_copy(update={"audit_retention_days": days})
    return dataclasses.replace(platform, settings=settings)


async def due(platform: Platform, workspace: TestWorkspace) -> bool:
    before = UUID(int=workspace.id.int - 1)
    found = await upkeep.look(platform, Look(after=str(before), limit=1))
    return str(workspace.id) in found.work.get(Duty.PURGE.value, [])


async def test_upkeep_deletes_what_is_kept_no_longer(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "ROWS_TOGETHER", 2)
    await add(platform, workspace.id, 5, days=366)
    await add(platform, workspace.id, 3, days=364)
    assert not await due(keeping(platform, 0), workspace)
    await purging.purge(keeping(platform, 0), workspace.id)
    assert await count(platform, workspace.id) == 8
    assert await due(platform, workspace)
    await purging.purge(platform, workspace.id)
    assert await count(platform, workspace.id) == 3
    assert not await due(platform, workspace)
    assert await due(keeping(platform, 30), workspace)


async def test_what_temporal_has_done_is_said_in_the_servers_log_when_the_database_is_away(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    monkeypatch.setattr(platform.database, "run", away)
    with asking(Asking("key", "k1", "Ada", request_id="r1")), caplog.at_level(logging.ERROR):
        await audit.note_done(platform.database, workspace.id, "run.cancel", "run 1")
    assert "not in the audit log: run.cancel of run 1 by key k1 (request r1)" in caplog.text


@pytest.mark.parametrize(
    "condition",
    [
        "actor_id = 'actor 7'",
        "target_id = 'target 7'",
        "action = ANY('{workflow.delete,workflow.pause}')",
        "outcome = 'refused'",
        "actor_kind = 'link'",
        "target_type = 'secret'",
        "id < '00000000-0000-7000-8000-000000000000'",
    ],
)
async def test_each_filter_that_leaves_few_is_served_by_an_index(
    platform: Platform, workspace: TestWorkspace, settings: Settings, condition: str
) -> None:
    await add(platform, workspace.id, 3000, days=1)
    assert settings.migration_database_url is not None
    with psycopg.connect(settings.migration_database_url, autocommit=True) as owner:
        owner.execute("ANALYZE audit_log")
    page = f"""
        EXPLAIN SELECT * FROM audit_log WHERE workspace_id = '{workspace.id}' AND {condition}
        ORDER BY id DESC LIMIT 51
    """
    [rows] = await platform.database.run(workspace.id, Statement(page, {}))  # type: ignore[arg-type]
    plan = "\n".join(row[0] for row in rows)
    indexed = [line for line in plan.splitlines() if "Index Cond" in line]
    assert any(condition.split(maxsplit=1)[0] in line for line in indexed), plan


async def test_a_run_that_is_not_begun_anew_leaves_no_second_entry(
    platform: Platform, workspace: TestWorkspace
) -> None:
    """What a transaction of statements makes only perhaps is written of only if it did."""
    with asking(Asking("key", "k1", "Ada")):
        for kind in ("run", "delivery", "event"):
            made = audit.Made(kind, str(uuid7()))
            written = audit.statement("run.start", made.id, made=made)
            assert written is not None
            await platform.database.run(workspace.id, written)
    assert await count(platform, workspace.id) == 0
