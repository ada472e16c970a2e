"""The comparison of HTTP clients makes the calls it tells of, and says what is missing."""

import pytest

from app.json import Json
from benchmarks import http_clients
from benchmarks.http_clients import Cost, cost, median, require


async def test_every_call_is_made_and_so_many_at_a_time() -> None:
    calls: list[str] = []

    async def get(url: str) -> Json:
        calls.append(url)
        return {"ok": True}

    found = await cost(get, "http://127.0.0.1/", 25, 10)
    assert len(calls) == 25
    assert found.per_second > 0


def test_the_median_of_each_figure_is_told_by_itself() -> None:
    assert median([Cost(1, 9), Cost(2, 8), Cost(30, 7)]) == Cost(2, 8)


def test_a_client_that_is_not_installed_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(http_clients.CLIENTS, "no-such-client", http_clients.CLIENTS["aiohttp"])
    require(["aiohttp", "holdfast"])
    with pytest.raises(SystemExit, match=r"install.sh bench.*--clients httpx httpx2 aiohttp holdfast$"):
        require(["no-such-client"])
