"""The provider of the chaos suite: what it writes down, and each of the ways in which it is away."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.chaos.ledger import Provider, open_provider
from tests.chaos.plan import Cut


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with open_provider(seed=1) as opened:
        yield opened


async def ask(provider: Provider, key: str) -> aiohttp.ClientResponse:
    """Ask for one effect and read the whole answer."""
    body = {"order": "one", "effect": "charge"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(provider.ledger.url, json=body, headers={"Idempotency-Key": key}) as answer,
    ):
        await answer.read()
        return answer


async def test_an_effect_is_written_down_under_its_key(provider: Provider) -> None:
    for key in ("a", "a", "b"):
        assert (await ask(provider, key)).status == 200
    ledger = provider.ledger
    await ledger.reached(2)
    await ledger.has("one", {"charge"})
    assert [arrival.key for arrival in ledger.arrivals] == ["a", "a", "b"]
    assert ledger.effects == 2
    assert all(arrival.answered and not arrival.answer_lost for arrival in ledger.arrivals)


@pytest.mark.parametrize(("cut", "status"), [(Cut.UNAVAILABLE, 503), (Cut.BUSY, 429)])
async def test_a_provider_that_cannot_says_so_and_does_nothing(provider: Provider, cut: Cut, status: int) -> None:
    provider.ledger.cut = cut
    answer = await ask(provider, "a")
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (cut is Cut.BUSY)
    assert provider.ledger.arrivals == []
    assert provider.ledger.turned_away == {cut: 1}


async def test_an_answer_that_is_lost_was_an_effect(provider: Provider) -> None:
    provider.ledger.cut = Cut.ANSWER_LOST
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(provider, "a")
    [arrival] = provider.ledger.arrivals
    assert arrival.answer_lost
    assert arrival.answered is None


async def test_a_port_that_was_closed_opens_again_where_it_was(provider: Provider) -> None:
    url = provider.ledger.url
    away = asyncio.create_task(provider.away(Cut.REFUSED, 3600))
    await asyncio.sleep(0)  # so that it begins
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(provider, "a")
    away.cancel()
    await asyncio.wait([away])
    assert provider.ledger.url == url
    assert (await ask(provider, "b")).status == 200
