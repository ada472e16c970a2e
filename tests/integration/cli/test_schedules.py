"""`holdfast schedules`: look into one, set it off, fill in, pause and resume."""

from pathlib import Path

import pytest

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli

PRICES = """
name: Prices
trigger: {type: schedule, cron: "0 9 * * mon-fri", timezone: Europe/Vienna}
steps:
  - {id: note, type: transform, mapping: {at: "{{ trigger.scheduled_for }}"}}
"""


@pytest.mark.usefixtures("worker")
async def test_a_schedule_is_listed_started_filled_in_and_paused(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    assert "no schedules" in (await cli("schedules", "list")).err
    await cli("apply", "-f", str(file))
    [schedule] = (await cli("schedules", "list", "--workflow", "prices", "--json")).json()
    id = schedule["id"]
    assert "0 9 * * mon-fri Europe/Vienna" in (await cli("schedules", "list")).out
    assert (await cli("schedules", "trigger", id)).out.startswith("run ")
    period = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-06T23:00:00Z")
    assert (await cli("schedules", "backfill", id, *period)).out.startswith("2 moments")
    paused = await cli("schedules", "pause", id, "--reason", "audit")
    assert paused.out == "Prices: 0 9 * * mon-fri Europe/Vienna is paused\n"
    assert "audit" in (await cli("schedules", "show", id)).out
    shown = (await cli("workflows", "show", "prices")).out
    assert f"schedule {id}: 0 9 * * mon-fri Europe/Vienna is paused" in shown
    assert "audit" in shown
    assert [each["id"] for each in (await cli("workflows", "show", "Prices", "--json")).json()["schedules"]] == [id]
    assert (await cli("schedules", "resume", id, "--json")).json()["status"] == "active"
    assert (await cli("schedules", "show", id)).out.count("next: ") == 10


async def test_a_schedule_that_is_not_there_is_said(cli: Cli) -> None:
    missing = await cli("schedules", "show", "01a1ffd9-b433-7d25-94dc-64582972dfa7")
    assert missing.code == ExitCode.NOT_FOUND
