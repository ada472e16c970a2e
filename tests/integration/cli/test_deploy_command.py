"""`holdfast deploy` against a real Temporal with workers of two versions."""

from collections.abc import Awaitable, Callable

import pytest

from app.cli.exits import ExitCode
from app.embedded.ports import free_port
from app.services.platform import Platform
from app.settings import Settings
from app.temporal import names
from tests.conftest import TestWorkspace
from tests.integration.cli.on_servers import on_servers
from tests.support.cli import Ended, holdfast
from tests.support.engine import Engine
from tests.support.versions import Versions
from tests.support.waiting import eventually

Deploy = Callable[..., Awaitable[Ended]]


@pytest.fixture
def versions(platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.setattr(names, "TASK_QUEUE", f"holdfast-{workspace.id}")
    return Versions(Engine(platform, workspace.id), f"holdfast-{workspace.id}", "pinned")


@pytest.fixture
def deploy(versions: Versions, settings: Settings) -> Deploy:
    async def call(*arguments: str) -> Ended:
        environment = on_servers(settings) | {"HOLDFAST_DEPLOYMENT_NAME": versions.name}
        return await holdfast("deploy", *arguments, environment=environment)

    return call


async def test_a_version_is_shown_promoted_ramped_and_let_go(versions: Versions, deploy: Deploy) -> None:
    async with versions.worker("one"), versions.worker("two"):

        async def both() -> bool:
            shown = (await deploy("show", "--json")).json()
            return {version["build_id"] for version in shown["versions"]} == {"one", "two"}

        await eventually(both, what="both versions are known")
        first = await deploy("show")
        promoted = await deploy("promote", "one", "--json")
        ramped = await deploy("promote", "two", "--percent", "25", "--json")
        shown = await deploy("show")
        let_go = await deploy("unversioned", "--json")

    assert "no version" in first.out
    assert promoted.code == ExitCode.OK, promoted.err
    assert promoted.json()["current"] == "one"
    assert (ramped.json()["ramping"], ramped.json()["ramping_percentage"]) == ("two", 25)
    assert "ramping 25 %" in shown.out
    assert let_go.json()["current"] is None


async def test_a_version_no_worker_has_cannot_be_promoted(deploy: Deploy) -> None:
    ended = await deploy("promote", "3.0", "--json")

    assert ended.code == ExitCode.NOT_FOUND
    assert "version_not_found" in ended.err
    assert "HOLDFAST_WORKER_VERSIONING" in ended.err


async def test_without_versions_the_command_says_so(deploy: Deploy) -> None:
    for_people, for_scripts = await deploy("show"), await deploy("show", "--json")

    assert (for_people.code, for_people.out) == (ExitCode.OK, "")
    assert "HOLDFAST_WORKER_VERSIONING=off" in for_people.err
    assert for_scripts.json()["versions"] == []


async def test_a_temporal_that_is_away_is_named() -> None:
    address = f"127.0.0.1:{free_port()}"

    ended = await holdfast("deploy", "show", environment={"HOLDFAST_TEMPORAL_ADDRESS": address})

    assert ended.code == ExitCode.UNREACHABLE
    assert address in ended.err
