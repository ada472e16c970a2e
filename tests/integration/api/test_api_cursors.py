"""Cursors of lists: one nobody was given is refused, whatever stands in it."""

import httpx
import pytest

from app.services.paging import encode_cursor
from tests.integration.api.calls import problem

NOWHERE = "01890000-0000-7000-8000-000000000000"
NOT_OURS = [
    None,
    5,
    "a",
    [1],
    [10**30, "x"],
    [float("inf"), "x"],
    [1.5, "x"],
    [1, "\0"],
    [1, "\ud800"],
    {"number": 10**30},
    {"number": 2**31},
    {"number": float("inf")},
    {"name": "\0"},
    {"name": 5},
    {"sort": "name", "key": "\0", "id": NOWHERE},
    {"sort": "name", "key": "\ud800", "id": NOWHERE},
    {"sort": "name", "key": "a", "id": "x"},
]


@pytest.mark.parametrize("key", NOT_OURS, ids=repr)
async def test_a_cursor_that_is_not_ours_is_refused(api_client: httpx.AsyncClient, key: object) -> None:
    workflow = (await api_client.post("/v1/workflows", json={"name": "w", "definition": {"steps": []}})).json()
    run = await _run(api_client)
    lists = ["/v1/workflows?sort=name", "/v1/runs", "/v1/connections"]
    lists += [f"/v1/workflows/{workflow['id']}/versions", f"/v1/runs/{run}/steps"]
    for path in lists:
        answer = await api_client.get(path, params={"cursor": encode_cursor(key)} | dict(httpx.URL(path).params))
        assert problem(answer, 422, "invalid_cursor")


async def _run(client: httpx.AsyncClient) -> str:
    definition = {"steps": [{"id": "a", "type": "delay", "duration": "1s"}]}
    workflow = (await client.post("/v1/workflows", json={"name": "r", "definition": definition})).json()
    await client.post(f"/v1/workflows/{workflow['id']}/publish", json={})
    return str((await client.post(f"/v1/workflows/{workflow['id']}/runs", json={})).json()["id"])
