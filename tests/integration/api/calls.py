"""What the tests of the API share: checking a problem document, making a small workflow."""

from typing import Any

import httpx

from app.json import Json, JsonObject

PROBLEM = "application/problem+json"

SET_ONE: JsonObject = {"id": "one", "type": "set_variable", "variables": {"total": 1}}
WAIT: JsonObject = {"id": "paid", "type": "wait_for_event", "event": "shop.order.paid", "timeout": "1h"}


def problem(answer: httpx.Response, status: int, code: str) -> JsonObject:
    """The problem document, which must be a whole one of this status and code."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    found: JsonObject = answer.json()
    assert found["code"] == code, found
    assert found["type"] == f"/problems/{code}"
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert found["request_id"] == answer.headers["x-request-id"]
    return found


def paths(found: JsonObject) -> list[str]:
    """Where a problem document says something is wrong."""
    return [error["path"] for error in found["errors"]]


async def made(client: httpx.AsyncClient, path: str, body: Json = None, **options: Any) -> JsonObject:
    """The answer to a POST, which must succeed."""
    answer = await client.post(path, json=body, **options)
    assert answer.is_success, answer.text
    found: JsonObject = answer.json()
    return found


async def a_workflow(client: httpx.AsyncClient, *steps: JsonObject, name: str = "Test", **definition: Json) -> str:
    """A draft with these steps; answers its id."""
    body = {"name": name, "definition": {"steps": list(steps), **definition}}
    return str((await made(client, "/v1/workflows", body))["id"])


async def an_active_workflow(client: httpx.AsyncClient, *steps: JsonObject, **definition: Json) -> str:
    """A published and active workflow with these steps; answers its id."""
    workflow_id = await a_workflow(client, *(steps or (SET_ONE,)), **definition)
    await made(client, f"/v1/workflows/{workflow_id}/publish")
    return workflow_id
