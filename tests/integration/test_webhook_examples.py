"""Webhooks as their senders use them: GitHub's own payloads, and a burst of many deliveries at once."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.json import JsonObject
from tests.integration.api.calls import made, problem
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES
from tests.support.hooks import a_hook, deliveries, github, standard
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

GITHUB = Path(__file__).resolve().parents[3] / "shared" / "data" / "github-webhooks"
needs_payloads = pytest.mark.skipif(not GITHUB.exists(), reason=f"GitHub's own payloads are not here ({GITHUB})")


@pytest.fixture
async def hook(api_client: httpx.AsyncClient, http_stub: HttpStub) -> JsonObject:
    """An address of the example, whose helpdesk is on loopback."""
    http_stub.answer("/tickets", Answer(status=201, json={"id": "T-1"}))
    definition = read(EXAMPLES / "github-issues.yaml", helpdesk=f"{http_stub.url}/tickets")
    workflow_id = await ApiUser(api_client).publish(definition)
    return await made(api_client, f"/v1/workflows/{workflow_id}/webhooks")


async def run_of(client: httpx.AsyncClient, answer: httpx.Response) -> JsonObject:
    assert answer.status_code == 202, answer.text

    async def started() -> str | None:
        found = (await client.get(f"/v1/deliveries/{answer.json()['delivery_id']}")).json()["run_ids"]
        return found[0] if found else None

    run_id = await eventually(started, what="the run of the delivery")
    assert run_id is not None
    return await ApiUser(client).ended(run_id)


@needs_payloads
@pytest.mark.parametrize(
    ("name", "event", "ticket"),
    [
        ("issues.opened", "issues", "T-1"),
        ("issues.labeled", "issues", "T-1"),
        ("issue_comment.created", "issue_comment", None),
        ("pull_request.opened", "pull_request", None),
    ],
)
async def test_an_issue_of_github_that_is_a_bug_becomes_a_ticket(
    api_client: httpx.AsyncClient, http_stub: HttpStub, hook: JsonObject, name: str, event: str, ticket: str | None
) -> None:
    body = (GITHUB / f"{name}.payload.json").read_bytes()
    headers = github(hook["secret"], body, event=event)
    run = await run_of(api_client, await api_client.post(hook["path"], content=body, headers=headers))
    again = (await api_client.post(hook["path"], content=body, headers=headers)).json()
    assert (run["status"], run["output"]) == ("completed", {"ticket": ticket})
    assert (again["duplicate"], again["run_id"]) == (True, run["id"])
    sent = [json.loads(request.body) for request in http_stub.asked("/tickets")]
    assert sent == ([] if ticket is None else [http_ticket(json.loads(body))])


def http_ticket(payload: JsonObject) -> JsonObject:
    issue = payload["issue"]
    return {"title": issue["title"], "link": issue["html_url"], "from": payload["sender"]["login"]}


@needs_payloads
async def test_githubs_payload_with_a_wrong_or_missing_signature_starts_nothing(
    api_client: httpx.AsyncClient, hook: JsonObject
) -> None:
    body = (GITHUB / "issues.opened.payload.json").read_bytes()
    right = github(hook["secret"], body)
    wrong = {**right, "x-hub-signature-256": github("another secret", body)["x-hub-signature-256"]}
    missing = {name: value for name, value in right.items() if name != "x-hub-signature-256"}
    answers = [await api_client.post(hook["path"], content=body, headers=headers) for headers in (wrong, missing)]
    told = [problem(answer, 401, "invalid_signature") for answer in answers]
    assert told[0]["detail"] == told[1]["detail"]
    reasons = [one["reason"] for one in await deliveries(api_client, hook)]
    assert reasons == ["the signature is missing", "the signature does not match"]
    assert (await api_client.get(f"/v1/runs?workflow_id={hook['workflow_id']}")).json()["items"] == []


async def test_a_burst_of_deliveries_is_neither_lost_nor_doubled(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    messages = [(number, uuid4().hex) for number in range(180)]
    gate = asyncio.Semaphore(60)

    async def deliver(number: int, id: str) -> httpx.Response:
        body = json.dumps({"number": number})
        headers = standard(hook["secret"], body, id=id) | {"content-type": "application/json"}
        async with gate:
            return await api_client.post(hook["path"], content=body, headers=headers)

    answers = await asyncio.gather(*(deliver(*each) for each in [*messages, *messages[::9]]))
    assert {answer.status_code for answer in answers} == {202}
    assert Counter(answer.json()["duplicate"] for answer in answers) == {False: 180, True: 20}

    async def all_ran() -> list[int] | None:
        found = await every(api_client, f"/v1/runs?workflow_id={hook['workflow_id']}")
        return [run["input"]["body"]["number"] for run in found] if len(found) >= 180 else None

    numbers = await eventually(all_ran, within=60, every=0.5, what="a run for each delivery")
    assert numbers is not None
    assert sorted(numbers) == list(range(180))
    log = await every(api_client, f"/v1/webhooks/{hook['id']}/deliveries?")
    assert Counter(one["status"] for one in log) == {"accepted": 180, "duplicate": 20}
    assert (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()["total_calls"] == 200


async def every(client: httpx.AsyncClient, path: str) -> list[JsonObject]:
    """The items of a list on all its pages."""
    found: list[JsonObject] = []
    cursor = ""
    while True:
        page = (await client.get(f"{path}&limit=200{cursor}")).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
