"""What a connection's uses leave behind for the people who look after it."""

from activities.base import ActionError
from activities.connection_use import ConnectionUse
from app.catalog.errors import ErrorType
from app.services import connections
from app.services.platform import Platform
from tests.conftest import TestWorkspace


async def _connection(platform: Platform, workspace: TestWorkspace) -> str:
    made = await connections.create(
        platform, workspace.id, kind="http", name="crm", config={"base_url": "https://crm.example"}, credentials=None
    )
    return made.name


async def _seen(platform: Platform, workspace: TestWorkspace) -> tuple[str, str | None, bool]:
    page = await connections.list_(platform, workspace.id)
    row = page.items[0]
    return row.status, row.last_error, row.last_used_at is not None


async def test_a_use_that_ended_well_is_noted(platform: Platform, workspace: TestWorkspace) -> None:
    name = await _connection(platform, workspace)
    await ConnectionUse(platform).note(workspace.id, name, None)
    assert await _seen(platform, workspace) == ("active", None, True)


async def test_a_refused_sign_in_shows_on_the_connection_until_it_works_again(
    platform: Platform, workspace: TestWorkspace
) -> None:
    name, use = await _connection(platform, workspace), ConnectionUse(platform)
    await use.note(workspace.id, name, ActionError(ErrorType.PROVIDER_AUTH, "the key was refused"))
    assert await _seen(platform, workspace) == ("error", "the key was refused", True)
    await use.note(workspace.id, name, None)
    assert await _seen(platform, workspace) == ("active", None, True)


async def test_a_request_the_provider_did_not_like_says_nothing_about_the_connection(
    platform: Platform, workspace: TestWorkspace
) -> None:
    name = await _connection(platform, workspace)
    await ConnectionUse(platform).note(workspace.id, name, ActionError(ErrorType.PROVIDER_REJECTED, "no such contact"))
    assert await _seen(platform, workspace) == ("active", None, True)


async def test_the_same_use_again_is_not_written_again(platform: Platform, workspace: TestWorkspace) -> None:
    name, use = await _connection(platform, workspace), ConnectionUse(platform)
    await use.note(workspace.id, name, None)
    first = (await connections.list_(platform, workspace.id)).items[0].last_used_at
    await use.note(workspace.id, name, None)
    assert (await connections.list_(platform, workspace.id)).items[0].last_used_at == first
