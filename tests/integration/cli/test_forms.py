"""`holdfast forms`: finding a form and what it asks."""

import json
from pathlib import Path

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli

FIELDS = {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "format": "email"}}}


async def apply(cli: Cli, tmp_path: Path, *triggers: object) -> None:
    file = tmp_path / "forms.json"
    document = {"name": "Contact us", "triggers": triggers, "steps": [{"id": "end", "type": "stop"}]}
    file.write_text(json.dumps(document))
    assert (await cli("apply", "-f", str(file))).code == ExitCode.OK


async def test_a_form_is_listed_and_shown_with_its_address(cli: Cli, tmp_path: Path) -> None:
    await apply(cli, tmp_path, {"type": "form", "fields": FIELDS})
    listed = await cli("forms", "list", "contact-us")
    [form] = (await cli("forms", "list", "Contact us", "--json")).json()
    shown = await cli("forms", "show", "contact-us")
    assert form["address"] in listed.out
    assert form["address"] in shown.out
    assert "contact-us" in listed.out
    assert [word in shown.out for word in ("email", "required")] == [True, True]
    assert (await cli("forms", "show", "contact-us", "contact-us", "--json")).json() == form


async def test_which_form_is_meant_must_be_said(cli: Cli, tmp_path: Path) -> None:
    forms = [{"type": "form", "fields": FIELDS, "form_id": name} for name in ("one", "two")]
    await apply(cli, tmp_path, *forms)
    several, unknown = await cli("forms", "show", "contact-us"), await cli("forms", "show", "contact-us", "three")
    assert (several.code, unknown.code) == (ExitCode.USAGE, ExitCode.NOT_FOUND)
    assert "one, two" in several.err
    assert "one, two" in unknown.err
    assert (await cli("forms", "list", "no-such")).code == ExitCode.NOT_FOUND
