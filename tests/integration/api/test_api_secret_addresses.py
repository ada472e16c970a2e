"""Addresses and links that need no key are told to those alone who may do with a key what they let anybody do."""

import re
from collections.abc import Mapping
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from app.db.models import Approval
from app.json import JsonObject
from app.security.message_addresses import verify_token
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import made
from tests.integration.api.operations import address, things
from tests.integration.api.test_api_matrix import NO_ONES, OPERATIONS
from tests.integration.services.building import a_run
from tests.support.providers import WHATSAPP, receiving

LETS_IN = re.compile(r"\b(?:hf|wh|msg)_[a-z2-7]{20,}|/approvals/[\w-]{40,}")
"""Tokens of keys, webhooks and messages, and links to approvals."""


@pytest.fixture(autouse=True)
def encrypting(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of everything there is: a payload key among them."""
    monkeypatch.setitem(platform.settings.__dict__, "payload_encryption", "on")


async def answers(client: httpx.AsyncClient, key: str, ids: Mapping[str, str]) -> dict[str, str]:
    """What every GET under `/v1` answers to this key, by the operation."""
    found = {}
    for operation in OPERATIONS:
        if operation.method == "GET" and not operation.of_platform:
            answer = await client.get(address(operation, ids), headers={"Authorization": f"Bearer {key}"})
            there = answer.status_code != 404 or operation.id in (*NO_ONES, "runs_input_of")
            assert there, (operation.id, answer.text)
            found[operation.id] = answer.text
    return found


async def as_(client: httpx.AsyncClient, role: str, scopes: list[str] | None = None) -> str:
    body: JsonObject = {"name": role, "role": role, "scopes": scopes}
    return str((await made(client, "/v1/api-keys", body))["key"])


async def everything(client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace) -> dict[str, str]:
    """The ids of one of everything: messages come in over the connection, and the approval can be answered."""
    ids = await things(client, platform, workspace.id)
    ids["line_id"] = (await receiving(client, WHATSAPP)).connection_id
    asking = await a_run(
        platform, workspace.id, workflow_id=UUID(ids["workflow_id"]), status="waiting", workflow_name="W"
    )
    approval = Approval(
        workspace_id=workspace.id, id=uuid7(), run_id=asking, path="one", generation=1, attempt=1, title="T",
        message="M", approvers=[],
    )  # fmt: skip
    async with platform.database.transaction(workspace.id) as session:
        session.add(approval)
    return {**ids, "approval_id": str(approval.id)}


async def test_no_answer_gives_a_viewer_an_address_or_link_that_lets_in(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    ids = await everything(api_client, platform, workspace)
    hook = (await api_client.get(f"/v1/webhooks/{ids['webhook_id']}")).json()
    await api_client.post(hook["path"], json={"what": "a delivery"})

    told = await answers(api_client, workspace.api_key, ids)
    [link] = (await api_client.get(f"/v1/approvals/{ids['approval_id']}")).json()["links"]
    inbound = (await api_client.get(f"/v1/connections/{ids['line_id']}/inbound")).json()
    token = inbound["address"].rpartition("/")[2]
    secrets = (hook["path"], token, verify_token(token), link["link"])
    assert all(any(secret in text for text in told.values()) for secret in secrets), "else nothing is looked for"

    for scopes in (None, ["runs:read", "approvals:read", "webhooks:read", "connections:read"]):
        seen = await answers(api_client, await as_(api_client, "viewer" if scopes is None else "admin", scopes), ids)
        wrong = [name for name, text in seen.items() if any(each in text for each in secrets) or LETS_IN.search(text)]
        assert wrong == []


async def test_an_operator_gets_links_and_an_editor_the_addresses_too(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    ids = await everything(api_client, platform, workspace)
    paths = [f"/v1/approvals/{ids['approval_id']}", f"/v1/webhooks/{ids['webhook_id']}"]
    paths.append(f"/v1/connections/{ids['line_id']}/inbound")

    async def seen(role: str) -> list[bool]:
        own = {"Authorization": f"Bearer {await as_(api_client, role)}"}
        asked, hook, inbound = [(await api_client.get(path, headers=own)).json() for path in paths]
        assert (hook["address"] is None) == (hook["path"] is None)
        assert (inbound["address"] is None) == (inbound["enter"] == [])
        return [bool(asked["links"]), bool(hook["address"]), bool(inbound["address"])]

    assert await seen("viewer") == [False, False, False]
    assert await seen("operator") == [True, False, False]
    assert await seen("editor") == [True, True, True]
