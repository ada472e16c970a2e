"""`holdfast workflows`: putting one aside and back."""

import json
from pathlib import Path

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli


async def test_a_workflow_is_paused_activated_and_archived_by_name(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"name": "Nightly report", "steps": [{"id": "end", "type": "stop"}]}))
    await cli("apply", "-f", str(file))

    paused = await cli("workflows", "pause", "Nightly report")
    refused = await cli("run", "nightly-report")
    activated = await cli("workflows", "activate", "nightly-report", "--json")
    archived = await cli("workflows", "archive", "nightly-report")

    assert paused.out == "Nightly report is paused\n"
    assert refused.code == ExitCode.REFUSED
    assert activated.json()["status"] == "active"
    assert archived.out == "Nightly report is archived\n"


async def test_a_workflow_that_is_not_there_is_said(cli: Cli) -> None:
    assert (await cli("workflows", "activate", "no-such")).code == ExitCode.NOT_FOUND
