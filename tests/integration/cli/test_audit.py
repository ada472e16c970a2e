"""`holdfast audit`: the log as a table and as files; and what the command line does beside the API."""

import csv
import io
import json
import os
from pathlib import Path

from app.cli.exits import ExitCode
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.cli.conftest import Cli
from tests.support.cli import holdfast

WORKFLOW = "name: Audited\nsteps: [{id: one, type: set_variable, variables: {total: 1}}]\n"


async def test_the_log_is_listed_and_exported(cli: Cli, tmp_path: Path) -> None:
    assert "no entries" in (await cli("audit", "list")).err
    applied = await cli("apply", "-f", "-", stdin=WORKFLOW)
    assert applied.code == 0, applied.err
    await cli("workflows", "pause", "audited")
    lines = (await cli("audit", "list")).out.splitlines()
    assert lines[0].split() == ["AT", "ACTOR", "ACTION", "TARGET", "FROM", "CHANGED"]
    assert "first key" in lines[1]
    assert "workflow.pause" in lines[1]
    assert "status: active → paused" in lines[1]
    listed = (await cli("audit", "list", "--json")).json()
    assert [entry["action"] for entry in listed] == ["workflow.pause", "workflow.apply"]
    narrow = ("--action", "workflow.*", "--target", listed[0]["target"]["id"], "--since", listed[0]["at"])
    assert [entry["id"] for entry in (await cli("audit", "list", *narrow, "--json")).json()] == [listed[0]["id"]]

    file = tmp_path / "log.jsonl"
    await cli("audit", "export", "--format", "jsonl", "-o", str(file))
    assert [json.loads(line) for line in file.read_text().splitlines()] == listed
    exported = await cli("audit", "export", "--until", listed[0]["at"])
    assert [row["action"] for row in csv.DictReader(io.StringIO(exported.out))] == ["workflow.apply"]


async def test_an_export_that_cannot_be_made_leaves_no_file(cli: Cli, tmp_path: Path) -> None:
    wrong = await cli("audit", "export", "--action", "nothing", "-o", str(tmp_path / "log.csv"))
    assert (wrong.code, os.listdir(tmp_path)) == (ExitCode.REFUSED, [])
    assert "unknown_audit_action" in (await cli("audit", "list", "--action", "nothing", "--json")).err
    nowhere = await cli("audit", "export", "-o", str(tmp_path / "no" / "log.csv"))
    assert nowhere.code == ExitCode.USAGE
    assert "cannot write" in nowhere.err
    (tmp_path / "file").write_text("kept")
    below = await cli("audit", "export", "-o", str(tmp_path / "file" / "log.csv"))
    assert (below.code, "cannot write" in below.err) == (ExitCode.USAGE, True)
    folder = await cli("audit", "export", "-o", "/")
    assert (folder.code, "is a folder" in folder.err) == (ExitCode.USAGE, True)
    assert os.listdir(tmp_path) == ["file"]


async def test_a_key_made_beside_the_database_is_in_the_log(
    cli: Cli, platform: Platform, workspace: TestWorkspace, tmp_path: Path
) -> None:
    environment = {"HOLDFAST_DATABASE_URL": platform.settings.database_url or "", "HOLDFAST_DATA_DIR": str(tmp_path)}
    made = await holdfast(
        "keys", "create", "--workspace", str(workspace.id), "--name", "second", "--json", environment=environment
    )
    [entry] = (await cli("audit", "list", "--json")).json()
    assert (entry["action"], entry["actor"]["kind"], entry["actor"]["name"]) == (
        "api_key.create", "system", "holdfast keys create",
    )  # fmt: skip
    assert entry["target"]["name"] == entry["after"]["name"] == "second"
    assert made.json()["api_key"] not in json.dumps(entry)
