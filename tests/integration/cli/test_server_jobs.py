"""The jobs of an installation on servers: `migrate`, `temporal-setup`, `keys`, `health`, the database's first start."""

import asyncio
import json
import os
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import yaml
from cryptography.fernet import Fernet
from temporalio.client import Client

from app.cli.exits import ExitCode
from app.embedded.ports import free_port
from app.embedded.programs import postgres_programs
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from app.temporal.setup import missing_search_attributes
from tests.conftest import DatabaseUrls, TestWorkspace
from tests.integration.cli.on_servers import on_servers
from tests.support.cli import holdfast
from tests.support.waiting import eventually

REPOSITORY = Path(__file__).parents[3]


async def test_migrating_a_database_that_is_up_to_date_changes_nothing(settings: Settings) -> None:
    ended = await holdfast("migrate", "--json", environment=on_servers(settings))

    assert ended.code == ExitCode.OK, ended.err
    assert ended.json()["revision"]


async def test_migrating_says_which_address_is_missing(settings: Settings) -> None:
    environment = {"HOLDFAST_DATABASE_URL": on_servers(settings)["HOLDFAST_DATABASE_URL"]}

    ended = await holdfast("migrate", environment=environment)

    assert ended.code == ExitCode.USAGE
    assert "HOLDFAST_MIGRATION_DATABASE_URL is not set" in ended.err


async def test_migrating_as_a_role_that_sees_all_tenants_is_refused(settings: Settings) -> None:
    given = on_servers(settings)
    given["HOLDFAST_DATABASE_URL"] = given["HOLDFAST_MIGRATION_DATABASE_URL"]

    ended = await holdfast("migrate", environment=given)

    assert ended.code == ExitCode.REFUSED


async def test_a_database_that_is_away_cannot_be_reached(settings: Settings) -> None:
    away = f"postgresql://holdfast@127.0.0.1:{free_port()}/holdfast"

    ended = await holdfast(
        "migrate", environment={"HOLDFAST_DATABASE_URL": away, "HOLDFAST_MIGRATION_DATABASE_URL": away}
    )

    assert ended.code == ExitCode.UNREACHABLE


async def test_a_namespace_is_made_with_its_search_attributes_once(settings: Settings, temporal_server: str) -> None:
    name = f"made-{uuid4().hex[:8]}"
    environment = on_servers(settings) | {"HOLDFAST_TEMPORAL_NAMESPACE": name}

    first = await holdfast("temporal-setup", "--json", environment=environment)
    second = await holdfast("temporal-setup", "--json", environment=environment)

    assert first.code == ExitCode.OK, first.err
    assert first.json()["added"][0] == f"namespace {name}"
    assert second.json() == {"added": []}
    assert await missing_search_attributes(await Client.connect(temporal_server, namespace=name)) == []


async def test_a_temporal_that_is_away_cannot_be_reached() -> None:
    address = f"127.0.0.1:{free_port()}"

    ended = await holdfast("temporal-setup", "--wait", "0", environment={"HOLDFAST_TEMPORAL_ADDRESS": address})

    assert ended.code == ExitCode.UNREACHABLE
    assert address in ended.err


async def test_a_key_is_made_for_a_new_workspace_and_for_one_that_is_there(
    settings: Settings, workspace: TestWorkspace, api_url: str, tmp_path: Path
) -> None:
    environment = on_servers(settings) | {"HOLDFAST_DATA_DIR": str(tmp_path)}

    new = (await holdfast("keys", "create", "--new-workspace", "Second", "--json", environment=environment)).json()
    further = (
        await holdfast("keys", "create", "--workspace", str(workspace.id), "--json", environment=environment)
    ).json()

    assert further["workspace_id"] == str(workspace.id)
    assert new["workspace_id"] != str(workspace.id)
    for made in (new, further):
        given = {"HOLDFAST_API_URL": api_url, "HOLDFAST_API_KEY": made["api_key"], "HOLDFAST_DATA_DIR": str(tmp_path)}
        assert (await holdfast("workflows", "list", "--json", environment=given)).code == ExitCode.OK


async def test_which_of_several_workspaces_a_key_is_for_must_be_said(
    settings: Settings, workspace: TestWorkspace, platform: Platform
) -> None:
    await create_workspace(platform, "Another")

    ended = await holdfast("keys", "create", environment=on_servers(settings))

    assert ended.code == ExitCode.USAGE
    assert "--workspace" in ended.err


async def test_a_key_of_a_workspace_that_is_not_there_is_not_made(settings: Settings) -> None:
    ended = await holdfast("keys", "create", "--workspace", str(uuid4()), environment=on_servers(settings))

    assert ended.code == ExitCode.NOT_FOUND


async def test_an_encryption_key_is_one_the_key_ring_takes() -> None:
    ended = await holdfast("keys", "new-encryption-key", "--json")

    Fernet(ended.json()["encryption_key"])


async def test_health_says_whether_the_api_is_well(api_url: str) -> None:
    async def ok() -> bool:
        """On a busy machine a part may take longer than it is given, and is down for that moment."""
        well = await holdfast("health", "api", environment={"HOLDFAST_API_URL": api_url})
        return (well.code, well.out) == (ExitCode.OK, "ok\n")

    await eventually(ok)
    away = await holdfast("health", "api", environment={"HOLDFAST_API_URL": f"http://127.0.0.1:{free_port()}"})

    assert away.code == ExitCode.UNREACHABLE


@pytest.mark.usefixtures("worker")
async def test_health_says_whether_this_hosts_worker_is_well(settings: Settings) -> None:
    well = await holdfast("health", "worker", environment=on_servers(settings))
    nobodys = on_servers(settings) | {"HOLDFAST_TEMPORAL_NAMESPACE": "temporal-system"}
    none = await holdfast("health", "worker", environment=nobodys)

    assert well.code == ExitCode.OK, well.err
    assert none.code == ExitCode.BROKEN


async def test_the_databases_of_a_server_are_made_at_its_first_start(database_urls: DatabaseUrls) -> None:
    """The script of the PostgreSQL container, run against a real server, and what it made removed again."""
    owner = psycopg.conninfo.conninfo_to_dict(database_urls.owner)
    environment = {
        "PATH": f"{postgres_programs()}:{os.environ['PATH']}",
        "PGHOST": str(owner["host"]),
        "POSTGRES_USER": str(owner["user"]),
        "POSTGRES_DB": str(owner["dbname"]),
        "TEMPORAL_DATABASE_PASSWORD": 'it\'s a "secret"',
    }
    script = await asyncio.create_subprocess_exec("sh", str(REPOSITORY / "docker/databases.sh"), env=environment)
    try:
        assert await script.wait() == 0
        async with await psycopg.AsyncConnection.connect(
            psycopg.conninfo.make_conninfo(
                host=str(owner["host"]), user="temporal", dbname="temporal_visibility", password='it\'s a "secret"'
            )
        ) as connection:
            await connection.execute("CREATE TABLE probe (id int)")
    finally:
        async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as connection:
            for statement in ("DATABASE temporal", "DATABASE temporal_visibility", "ROLE temporal"):
                await connection.execute(f"DROP {statement}".encode())


def test_the_compose_file_holds_no_secret_and_every_server_has_a_health_check() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    text = json.dumps(compose)

    for name in ("POSTGRES_PASSWORD", "HOLDFAST_DATABASE_PASSWORD", "TEMPORAL_DATABASE_PASSWORD"):
        assert f"${{{name}:?" in text, f"{name} must come from the environment, or the start must fail"
        assert f"${{{name}:-" not in text
    for name in ("postgres", "temporal", "temporal-ui", "worker"):
        assert "test" in compose["services"][name]["healthcheck"], name
    assert "HEALTHCHECK" in (REPOSITORY / "Dockerfile").read_text()


async def test_a_rotation_says_how_much_each_key_is_used(settings: Settings) -> None:
    given = on_servers(settings)
    keys = settings.encryption_keys[0].get_secret_value()
    ring = {**given, "HOLDFAST_ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()},{keys}"}

    shown = await holdfast("keys", "rotate", "--check", "--json", environment=ring)
    without = await holdfast("keys", "rotate", environment={**given, "HOLDFAST_ENCRYPTION_KEYS": ""})
    broken = await holdfast("keys", "rotate", environment={**given, "HOLDFAST_ENCRYPTION_KEYS": "short"})

    found = shown.json()
    assert [key["place"] for key in found["keys"]][:2] == [1, 2]
    assert (found["renewed"], found["keys"][0]["id"], found["keys"][0]["values"]) == (0, found["newest"], 0)
    assert found["left"] == sum(key["values"] for key in found["keys"][1:])
    assert (without.code, broken.code) == (ExitCode.USAGE, ExitCode.USAGE)
    assert "HOLDFAST_ENCRYPTION_KEYS" in without.err
