"""Workspaces are made with a key; a key opens its own workspace and nothing else."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app.db.models import ApiKey
from app.security import api_keys
from app.services import workspaces
from app.services.errors import Invalid, NotFound, Unauthenticated
from tests.integration.services.building import now


async def test_a_new_workspace_comes_with_a_key_that_opens_it(platform):
    workspace, key = await workspaces.create_workspace(platform, "  Shop  ")
    assert (workspace.name, workspace.settings) == ("Shop", {})
    assert workspace.created_at is not None
    actor = await workspaces.authenticate(platform, key)
    assert (actor.workspace_id, actor.name) == (workspace.workspace_id, "first key")


async def test_a_further_key_opens_the_same_workspace_under_its_own_name(platform, workspace):
    key = await workspaces.create_api_key(platform, workspace.id, "deploy")
    actor = await workspaces.authenticate(platform, key)
    assert (actor.workspace_id, actor.name) == (workspace.id, "deploy")


async def test_a_key_is_stored_as_its_hash_alone(platform, workspace):
    async with platform.database.transaction(workspace.id) as session:
        rows = (await session.scalars(select(ApiKey))).all()
    assert len(rows) == 1
    secret = workspace.api_key.rpartition("_")[2]
    assert not any(secret in str(value) for value in vars(rows[0]).values())


async def test_a_key_nobody_made_is_refused(platform, workspace):
    secret = "a" * 32
    forged = f"{workspace.api_key.rpartition('_')[0]}_{workspace.api_key.rpartition('_')[2][:6]}{secret[6:]}"
    for key in ("", "nonsense", api_keys.generate(workspace.id), api_keys.generate(uuid7()), forged):
        with pytest.raises(Unauthenticated):
            await workspaces.authenticate(platform, key)


async def test_a_revoked_key_is_refused(platform, workspace):
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).values(revoked_at=now()))
    with pytest.raises(Unauthenticated):
        await workspaces.authenticate(platform, workspace.api_key)


async def test_use_of_a_key_is_noted_at_most_once_a_minute(platform, workspace):
    async def last_used():
        platform.actors.clear()
        await workspaces.authenticate(platform, workspace.api_key)
        async with platform.database.transaction(workspace.id) as session:
            return await session.scalar(select(ApiKey.last_used_at))

    first = await last_used()
    assert await last_used() == first
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).values(last_used_at=first - timedelta(minutes=2)))
    assert await last_used() > first - timedelta(minutes=1)


async def test_a_key_that_was_just_seen_needs_no_query(platform, workspace):
    actor = await workspaces.authenticate(platform, workspace.api_key)
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).values(name="renamed"))
    assert await workspaces.authenticate(platform, workspace.api_key) == actor


async def test_settings_are_changed_one_by_one(platform, workspace):
    await workspaces.update_settings(platform, workspace.id, {"max_steps": 80})
    row = await workspaces.update_settings(platform, workspace.id, {"allow_drafts_beside_active": True})
    settings = workspaces.settings_of(row)
    assert (settings.max_steps, settings.allow_drafts_beside_active) == (80, True)
    assert workspaces.settings_of(await workspaces.get_workspace(platform, workspace.id)) == settings


@pytest.mark.parametrize(
    "changes",
    [
        {"max_steps": 0},
        {"max_steps": 1001},
        {"max_steps": "80"},
        {"max_step": 80},
        {"max_steps": None},
        {"retention_days": -1},
        {"retention_days": 36_501},
        {"retention_days": 1.5},
        {"retention_days": "for ever"},
    ],
)
async def test_settings_that_do_not_fit_are_refused_and_nothing_is_changed(platform, workspace, changes):
    with pytest.raises(Invalid) as caught:
        await workspaces.update_settings(platform, workspace.id, changes)
    assert [problem.path for problem in caught.value.problems] == list(changes)
    assert (await workspaces.get_workspace(platform, workspace.id)).settings == {}


async def test_an_unknown_workspace_is_not_found(platform):
    stranger = uuid7()
    for call in (
        workspaces.get_workspace(platform, stranger),
        workspaces.update_settings(platform, stranger, {}),
        workspaces.create_api_key(platform, stranger, "x"),
    ):
        with pytest.raises(NotFound):
            await call


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
async def test_a_name_is_needed(platform, workspace, name):
    with pytest.raises(Invalid):
        await workspaces.create_workspace(platform, name)
    with pytest.raises(Invalid):
        await workspaces.create_api_key(platform, workspace.id, name)
