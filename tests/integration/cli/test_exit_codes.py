"""What the command line cannot do, and with which exit code it says so."""

import json
from pathlib import Path

import pytest

from app.cli.exits import ExitCode
from app.embedded.ports import free_port
from tests.integration.cli.conftest import Cli
from tests.support.cli import holdfast
from tests.support.http_stub import Answer, HttpStub

NOBODY = "01930000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["runs", "show", NOBODY], ExitCode.NOT_FOUND, NOBODY),
        (["runs", "watch", NOBODY], ExitCode.NOT_FOUND, NOBODY),
        (["run", "no-such-workflow"], ExitCode.NOT_FOUND, "no-such-workflow"),
        (["runs", "show", "not-a-uuid"], ExitCode.REFUSED, "valid UUID"),
        (["apply", "-f", "no-such-file.yaml"], ExitCode.NOT_FOUND, "no-such-file.yaml is not there"),
        (["run", "x", "--input", "{"], ExitCode.REFUSED, "--input"),
        (["run", "x", "--variable", "novalue"], ExitCode.USAGE, "NAME=VALUE"),
        (["events", "send"], ExitCode.USAGE, "TYPE"),
        (["events", "send", "a.b", "-f", "x.json"], ExitCode.USAGE, "TYPE"),
        (["events", "send", "-f", "x.json", "--id", "1"], ExitCode.USAGE, "leave out"),
        (["runs", "list", "--limit", "0"], ExitCode.USAGE, "--limit"),
        (["no-such-command"], ExitCode.USAGE, "no-such-command"),
    ],
)
async def test_what_is_refused_has_its_exit_code_and_is_json_for_scripts(
    cli: Cli, arguments: list[str], code: ExitCode, said: str
) -> None:
    for_people = await cli(*arguments)
    for_scripts = await cli(*arguments, "--json")

    assert for_people.code == for_scripts.code == code
    assert said in for_people.err
    assert for_scripts.out in ("", "[]\n") or arguments[0] == "apply"
    if arguments[0] != "apply":
        assert json.loads(for_scripts.err)["error"]["exit_code"] == code


async def test_a_wrong_key_and_no_key_are_not_allowed(api_url: str, tmp_path: Path) -> None:
    environment = {"HOLDFAST_API_URL": api_url, "HOLDFAST_DATA_DIR": str(tmp_path)}

    no_key = await holdfast("runs", "list", environment=environment)
    wrong = await holdfast("runs", "list", environment=environment | {"HOLDFAST_API_KEY": "hf_wrong"})

    assert (no_key.code, wrong.code) == (ExitCode.NOT_ALLOWED, ExitCode.NOT_ALLOWED)
    assert "HOLDFAST_API_KEY" in no_key.err
    assert "holdfast dev" in no_key.err


async def test_an_api_that_is_not_there_cannot_be_reached(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    environment = {"HOLDFAST_API_URL": address, "HOLDFAST_API_KEY": "hf_any", "HOLDFAST_DATA_DIR": str(tmp_path)}

    ended = await holdfast("runs", "list", environment=environment)

    assert ended.code == ExitCode.UNREACHABLE
    assert address in ended.err
    assert "holdfast dev" in ended.err


async def test_a_server_that_is_another_program_is_said_to_be(tmp_path: Path, http_stub: HttpStub) -> None:
    environment = {"HOLDFAST_API_KEY": "hf_any", "HOLDFAST_DATA_DIR": str(tmp_path)}
    http_stub.answer("/v1/runs", Answer(body="<html>"))

    ended = await holdfast("runs", "list", "--api-url", http_stub.url, environment=environment)

    assert ended.code == ExitCode.BROKEN
    assert "no Holdfast API" in ended.err


@pytest.mark.parametrize("process", ["api", "worker"])
async def test_a_server_without_a_database_says_what_to_set(process: str) -> None:
    ended = await holdfast(process, environment={"HOLDFAST_DATABASE_URL": ""})

    assert ended.code == ExitCode.USAGE
    assert "HOLDFAST_DATABASE_URL" in ended.err


@pytest.mark.parametrize("command", [["api"], ["worker"], ["dev"]])
async def test_an_encryption_key_that_is_none_is_named_before_anything_starts(
    tmp_path: Path, command: list[str]
) -> None:
    environment = {
        "HOLDFAST_DATA_DIR": str(tmp_path),
        "HOLDFAST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "HOLDFAST_ENCRYPTION_KEYS": "not-a-key",
    }

    ended = await holdfast(*command, environment=environment)

    assert ended.code == ExitCode.USAGE
    assert "HOLDFAST_ENCRYPTION_KEYS: key 1" in ended.err
    assert "not-a-key" not in ended.err


async def test_an_address_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    environment = {"HOLDFAST_API_KEY": "hf_any", "HOLDFAST_DATA_DIR": str(tmp_path)}

    ended = await holdfast("runs", "list", "--api-url", "localhost:8000", environment=environment)

    assert ended.code == ExitCode.USAGE


async def test_a_setting_that_does_not_fit_is_named(tmp_path: Path) -> None:
    ended = await holdfast("dev", "--data-dir", str(tmp_path), environment={"HOLDFAST_API_PORT": "eighty"})

    assert ended.code == ExitCode.USAGE
    assert "HOLDFAST_API_PORT" in ended.err


async def test_every_commands_help_lists_the_exit_codes() -> None:
    for command in (["run"], ["runs", "list"], ["apply"], ["dev"], []):
        ended = await holdfast(*command, "--help")

        assert ended.code == ExitCode.OK
        assert "Exit codes: 0 done" in " ".join(ended.out.split())
