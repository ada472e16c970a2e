"""Deliveries to several webhooks at the same moment: they are dispatched together, and each starts its own workflow."""

import asyncio

import httpx
import pytest

from tests.support.api_user import ApiUser
from tests.support.hooks import a_hook, standard
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

EACH = 15


async def test_a_burst_to_two_webhooks_starts_each_workflow_for_its_own_deliveries(
    api_client: httpx.AsyncClient,
) -> None:
    hooks = [await a_hook(api_client) for _ in range(2)]
    user = ApiUser(api_client)

    async def deliver(hook: int, number: int) -> None:
        body = f'{{"hook": {hook}, "number": {number}}}'
        headers = standard(hooks[hook]["secret"], body) | {"content-type": "application/json"}
        answer = await api_client.post(hooks[hook]["path"], content=body, headers=headers)
        assert answer.status_code == 202, answer.text

    await asyncio.gather(*(deliver(hook, number) for number in range(EACH) for hook in (0, 1)))

    async def dispatched() -> bool:
        events = (await user.get("/v1/events?limit=100&type=system.webhook.received"))["items"]
        return len(events) == 2 * EACH and all(event["dispatched_at"] for event in events)

    await eventually(dispatched, what="every delivery is dispatched", within=20)
    for place, hook in enumerate(hooks):
        runs = (await user.get(f"/v1/runs?limit=100&workflow_id={hook['workflow_id']}"))["items"]
        bodies = [(await user.get(f"/v1/runs/{run['id']}"))["input"]["body"] for run in runs]
        assert {body["hook"] for body in bodies} == {place}
        assert sorted(body["number"] for body in bodies) == list(range(EACH))
