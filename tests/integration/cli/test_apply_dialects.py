"""`holdfast apply` with definitions of other systems: taken as they are, and told what was made of them."""

import json
from pathlib import Path

from app.cli.exits import ExitCode
from app.json import JsonObject
from tests.integration.cli.conftest import Cli
from tests.support.dialects import ACTIONS, WIZARD


def written(folder: Path, definition: JsonObject) -> str:
    file = folder / "theirs.json"
    file.write_text(json.dumps(definition))
    return str(file)


async def test_a_definition_of_another_dialect_is_applied_and_its_remarks_are_printed(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("apply", "-f", written(tmp_path, WIZARD))
    assert ended.code == ExitCode.OK
    assert "read as an event of a wizard" in ended.out
    assert "created   Postcode chosen version 1" in ended.out.splitlines()
    again = await cli("apply", "-f", written(tmp_path, WIZARD), "--json")
    [result] = again.json()
    assert (result["result"], result["read_as"]["dialect"]) == ("unchanged", "wizard")


async def test_problems_name_the_place_in_the_file(cli: Cli, tmp_path: Path) -> None:
    broken = {**ACTIONS, "actions": [{"action_type": "add_tagg", "action_config": {}}]}
    ended = await cli("apply", "-f", written(tmp_path, broken))
    assert ended.code == ExitCode.REFUSED
    assert "actions[0].action_type" in ended.err
