"""Committing deliveries: in step with all else that takes events in, and each for itself where one cannot be kept."""

import asyncio
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from app.db.models import Delivery
from app.services import handing_over, keeping_deliveries
from app.services.errors import Unavailable
from app.services.keeping_deliveries import Deliveries, Kept
from app.services.platform import Platform
from app.store import events
from tests.conftest import DatabaseUrls, TestWorkspace
from tests.support.hooks import a_hook, deliveries, sent


async def test_its_event_is_taken_in_under_the_lock_of_all_events(
    api_client: httpx.AsyncClient,
    workspace: TestWorkspace,
    database_urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handing_over, "MOST_WAITING", 0)
    hook = await a_hook(api_client)
    settle = events.settle(workspace.id)
    async with await psycopg.AsyncConnection.connect(database_urls.app) as connection:
        await connection.execute(settle.sql, settle.parameters)
        sending = asyncio.create_task(sent(api_client, hook, {}))
        await asyncio.wait([sending], timeout=1)
        assert not sending.done()
        ((settled,),) = await (await connection.execute("SELECT clock_timestamp()")).fetchall()
    assert (await sending).status_code == 202
    [event] = (await api_client.get("/v1/events")).json()["items"]
    assert event["received_at"] > settled.isoformat()
    assert len(await deliveries(api_client, hook)) == 1


async def test_one_that_cannot_be_kept_keeps_no_other_from_it(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    hook = await a_hook(api_client)
    sizes = [1, 2, 2**40, 3]
    found = await asyncio.gather(
        *(platform.deliveries.add(_refused(workspace.id, hook["id"], size), bounded=False) for size in sizes),
        return_exceptions=True,
    )
    assert [type(one) for one in found] == [Kept, Kept, psycopg.errors.NumericValueOutOfRange, Kept]
    assert {one["size"] for one in await deliveries(api_client, hook)} == {1, 2, 3}
    counted = (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert (counted["total_calls"], counted["refused_calls"]) == (3, 3)


async def test_no_more_bodies_wait_for_their_turn_than_there_is_room_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping_deliveries, "JUDGED_AT_ONCE", 1)
    monkeypatch.setattr(keeping_deliveries, "MOST_WAITING_BYTES", 10)
    kept = Deliveries(platform.database)
    # One that is alone waits for nobody, however large.
    async with kept.turn(100):
        waiting = asyncio.create_task(_turn(kept, 10))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await _turn(kept, 1)
        assert refused.value.code == "too_many_deliveries"
    await waiting
    await _turn(kept, 1)


async def _turn(kept: Deliveries, size: int) -> None:
    async with kept.turn(size):
        pass


def _refused(workspace_id: UUID, webhook_id: str, size: int) -> Delivery:
    return Delivery(
        workspace_id=workspace_id,
        id=uuid4(),
        webhook_id=UUID(webhook_id),
        method="POST",
        query="",
        headers={},
        size=size,
        status="refused",
    )
