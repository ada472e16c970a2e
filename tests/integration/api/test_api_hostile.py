"""Definitions written to do harm, sent through the API: each is refused in a clear way, or its run fails in one.

What of them is too much, and that it is found soon, is held in `tests/unit/definition`.
"""

import asyncio
import json
import sys
from itertools import cycle

import httpx
import pytest

from app.json import Json, JsonObject
from tests.integration.api.calls import SET_ONE, a_workflow, made, problem
from tests.unit.definition.test_hostile_definitions import DOCUMENTS, TEXTS
from tests.unit.definition.test_hostile_expressions import HOSTILE

REFUSED = (400, 413, 422)
COMPUTING = (
    "a huge range",
    "loops in loops",
    "a repeated text",
    "a list doubled again and again",
    "a doubled list as text",
    "a power of a power",
    "digits in a text",
    "a width",
    "a date without end",
)
"""What only running it shows."""


ALIKE = (
    "ten thousand steps of one id",
    "ten thousand steps of no kind",
    "ten thousand steps that are none",
    "a condition of ten thousand parts",
    "two thousand unknown names",
)
"""Those that are refused at the same place as others."""


def written(value: Json) -> bytes:
    """The value as JSON, however deep it is."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return json.dumps(value).encode()
    finally:
        sys.setrecursionlimit(usual)


def refused(answer: httpx.Response) -> JsonObject:
    """The problem document of a refusal, which is no longer than people read."""
    assert answer.status_code in REFUSED, (answer.status_code, answer.text[:500])
    found = problem(answer, answer.status_code, answer.json()["code"])
    assert len(answer.content) < 1_500_000
    return found


SOME = {name: made_ for name, made_ in DOCUMENTS.items() if name not in ALIKE}
DOORS = ("create", "apply", "change", "validate")


@pytest.mark.parametrize(("name", "door"), list(zip(SOME, cycle(DOORS), strict=False)))
async def test_a_hostile_definition_is_never_published(api_client: httpx.AsyncClient, name: str, door: str) -> None:
    body = written({"definition": SOME[name]()})
    if door == "apply":
        refused(await api_client.post("/v1/workflows/apply", content=body))
        return
    workflow_id = await a_workflow(api_client, SET_ONE)
    path = f"/v1/workflows/{workflow_id}"
    if door == "validate":
        judged = await api_client.post(f"{path}/validate", content=body)
        assert judged.status_code in (*REFUSED, 200)
        assert judged.status_code != 200 or judged.json()["valid"] is False
        return
    if door == "create":
        drafted = await api_client.post("/v1/workflows", content=b'{"name": "Hostile", ' + body[1:])
    else:
        drafted = await api_client.patch(path, content=body)
    if not drafted.is_success:
        refused(drafted)
        return
    # A draft may be wrong. It is said what is, and it goes no further.
    path = f"/v1/workflows/{drafted.json()['id']}"
    assert refused(await api_client.post(f"{path}/publish"))["errors"]
    problem(await api_client.post(f"{path}/runs"), 409, "workflow_not_active")


@pytest.mark.parametrize("name", TEXTS)
async def test_a_hostile_text_is_refused(api_client: httpx.AsyncClient, name: str) -> None:
    text = TEXTS[name]
    kind = "application/json" if text[0] in "[{" else "application/yaml"
    refused(await api_client.post("/v1/workflows", content=text.encode(), headers={"Content-Type": kind}))


async def test_expressions_that_do_not_end_fail_their_runs_or_are_refused(
    api_client: httpx.AsyncClient, worker: object
) -> None:
    async def tried(name: str) -> JsonObject | None:
        step: JsonObject = {"id": "one", "type": "transform", "mapping": {"a": HOSTILE[name]}}
        workflow_id = await a_workflow(api_client, step, name=name)
        published = await api_client.post(f"/v1/workflows/{workflow_id}/publish")
        if published.status_code != 201:
            refused(published)
            return None
        run: JsonObject = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=60"})
        return run

    runs = [run for run in await asyncio.gather(*map(tried, COMPUTING)) if run is not None]
    assert runs
    for run in runs:
        assert run["status"] == "failed", run
        assert run["error"]["step_id"] == "one"
        assert run["error"]["message"]


@pytest.mark.parametrize(
    "value", [{"a": "x" * 600_000}, {"a": [1] * 300_000}, {"a": "\x00"}, {f"k{n}": n for n in range(60_000)}]
)
async def test_hostile_data_starts_nothing(api_client: httpx.AsyncClient, worker: object, value: Json) -> None:
    workflow_id = await a_workflow(api_client, SET_ONE)
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    refused(await api_client.post(f"/v1/workflows/{workflow_id}/runs", json={"input": value}))
    event = {"type": "app.thing.happened", "source": "/s", "data": value}
    refused(await api_client.post("/v1/events", json=event))
    assert (await api_client.get("/v1/runs")).json()["items"] == []
