"""`holdfast apply`: workflows become what files say."""

import json
from pathlib import Path

import httpx

from app.cli.exits import ExitCode
from app.json import JsonObject
from tests.integration.cli.conftest import Cli

WELCOME: JsonObject = {
    "name": "Welcome a contact",
    "trigger": {"type": "event", "event": "crm.contact.created"},
    "steps": [{"id": "greet", "type": "transform", "mapping": {"text": "Hello {{ trigger.name }}"}}],
}


def written(folder: Path, definition: JsonObject, name: str = "welcome.json") -> str:
    file = folder / name
    file.write_text(json.dumps(definition))
    return str(file)


async def test_a_new_workflow_is_created_and_published(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("apply", "-f", written(tmp_path, WELCOME))

    assert ended.code == ExitCode.OK
    assert ended.out == "created   Welcome a contact version 1\n"
    [listed] = (await cli("workflows", "list", "--json")).json()
    assert (listed["slug"], listed["status"], listed["active_version"]) == ("welcome-a-contact", "active", 1)


async def test_a_definition_that_is_the_same_touches_nothing(cli: Cli, tmp_path: Path) -> None:
    await cli("apply", "-f", written(tmp_path, WELCOME))
    [before] = (await cli("workflows", "list", "--json")).json()

    spelled_otherwise = {**WELCOME, "settings": {"dispatch": "local_first"}, "variables": {}}
    ended = await cli("apply", "-f", written(tmp_path, spelled_otherwise))

    assert ended.out == "unchanged Welcome a contact version 1\n"
    assert (await cli("workflows", "list", "--json")).json() == [before]


async def test_an_active_workflow_is_changed_and_stays_active(cli: Cli, tmp_path: Path) -> None:
    await cli("apply", "-f", written(tmp_path, WELCOME))

    ended = await cli("apply", "-f", written(tmp_path, {**WELCOME, "variables": {"currency": "EUR"}}), "--json")

    [result] = ended.json()
    assert (result["result"], result["version"]) == ("updated", 2)
    [listed] = (await cli("workflows", "list", "--json")).json()
    assert (listed["status"], listed["active_version"]) == ("active", 2)


async def test_a_change_with_problems_leaves_the_active_version_as_it_is(cli: Cli, tmp_path: Path) -> None:
    await cli("apply", "-f", written(tmp_path, WELCOME))
    broken = {
        **WELCOME,
        "steps": [{"id": "greet", "type": "transform", "mapping": {"text": "{{ steps.nope.output }}"}}],
    }

    ended = await cli("apply", "-f", written(tmp_path, broken))

    assert ended.code == ExitCode.REFUSED
    assert "steps[0].mapping.text" in ended.err
    [listed] = (await cli("workflows", "list", "--json")).json()
    assert (listed["status"], listed["active_version"]) == ("active", 1)
    assert listed["draft"]["steps"][0]["mapping"] == {"text": "Hello {{ trigger.name }}"}


async def test_a_new_workflow_with_problems_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    unknown = {"name": "Broken", "steps": [{"id": "a", "type": "action", "action": "carrier.pigeon"}]}

    ended = await cli("apply", "-f", written(tmp_path, unknown), "--json")

    assert ended.code == ExitCode.REFUSED
    [result] = ended.json()
    assert result["error"]["exit_code"] == ExitCode.REFUSED
    assert result["error"]["errors"][0]["path"] == "steps[0].action"
    assert (await cli("workflows", "list", "--json")).json() == []


async def test_a_folder_is_applied_file_by_file_and_a_bad_one_stops_no_other(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "a.yaml").write_text("name: Broken\nsteps:\n  - {id: a, type: delya}\n")
    written(folder, WELCOME, "b.json")

    ended = await cli("apply", "-f", str(folder))

    assert ended.code == ExitCode.REFUSED
    assert "created   Welcome a contact version 1" in ended.out
    assert "a.yaml" in ended.err
    assert "did you mean 'delay'?" in ended.err


async def test_a_definition_comes_from_standard_input(cli: Cli) -> None:
    ended = await cli("apply", "-f", "-", stdin="name: From a pipe\nsteps:\n  - {id: a, type: stop}\n")

    assert ended.out == "created   From a pipe version 1\n"


async def test_what_cannot_be_found_again_by_name_is_refused(cli: Cli) -> None:
    nameless = await cli("apply", "-f", "-", stdin="steps: []")
    no_object = await cli("apply", "-f", "-", stdin="- 1")

    assert (nameless.code, no_object.code) == (ExitCode.REFUSED, ExitCode.REFUSED)
    assert "needs a name" in nameless.err
    assert "a workflow is an object" in no_object.err


async def test_publishing_without_activating_starts_nothing(cli: Cli, tmp_path: Path) -> None:
    await cli("apply", "--no-activate", "-f", written(tmp_path, WELCOME))

    [listed] = (await cli("workflows", "list", "--json")).json()
    assert listed["status"] != "active"


async def test_what_was_paused_gets_the_version_and_stays_paused(
    cli: Cli, api_client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await cli("apply", "-f", written(tmp_path, WELCOME))
    [listed] = (await cli("workflows", "list", "--json")).json()
    await api_client.post(f"/v1/workflows/{listed['id']}/pause")

    ended = await cli("apply", "-f", written(tmp_path, {**WELCOME, "variables": {"currency": "EUR"}}))

    assert ended.out == "updated   Welcome a contact version 2 (paused)\n"
