"""`holdfast webhooks`: an address from its making to its end."""

import json
from pathlib import Path

import httpx

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli


async def test_a_webhook_is_made_tended_and_deleted(cli: Cli, api_url: str, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    trigger = {"type": "webhook", "signature": "none"}
    file.write_text(json.dumps({"name": "Till", "trigger": trigger, "steps": [{"id": "end", "type": "stop"}]}))
    await cli("apply", "-f", str(file))

    made = (await cli("webhooks", "create", "till", "--name", "Shop", "--json")).json()
    async with httpx.AsyncClient(base_url=api_url) as sender:
        taken = (await sender.post(made["path"], content="{}")).json()
        await sender.get(made["path"])
    listed = await cli("webhooks", "list", "--workflow", "Till")
    shown = await cli("webhooks", "show", made["id"])
    log = await cli("webhooks", "deliveries", made["id"])
    refused = (await cli("webhooks", "deliveries", made["id"], "--status", "refused", "--json")).json()
    replayed = (await cli("webhooks", "replay", taken["delivery_id"], "--json")).json()
    rotated = await cli("webhooks", "rotate", made["id"], "--keep-old-for", "1h")
    deleted = await cli("webhooks", "delete", made["id"])

    assert made["secret"].startswith("whsec_")
    assert "Shop" in listed.out
    assert made["path"] in shown.out
    assert made["secret"] not in listed.out + shown.out
    assert "accepted" in log.out
    assert [one["problem"] for one in refused] == ["method_not_allowed"]
    assert replayed["delivery_id"] != taken["delivery_id"]
    assert "whsec_" in rotated.out
    assert deleted.out == f"webhook {made['id']} is deleted\n"
    assert (await cli("webhooks", "show", made["id"])).code == ExitCode.NOT_FOUND


async def test_a_workflow_without_a_webhook_trigger_is_said(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"name": "By hand", "steps": [{"id": "end", "type": "stop"}]}))
    await cli("apply", "-f", str(file))
    refused = await cli("webhooks", "create", "by-hand")
    assert refused.code == ExitCode.REFUSED
    assert "has no webhook trigger" in refused.err
