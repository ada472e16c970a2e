"""What the tests of the API share: checking a problem document, making a small workflow, an API over other servers."""

from typing import Any

import httpx

from api.main import create_app
from app.json import Json, JsonObject
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.http_stub import HttpStub
from tests.support.waiting import eventually

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


async def is_(client: httpx.AsyncClient, run_id: str, status: str) -> JsonObject:
    """The run, once it has this status."""

    async def there() -> JsonObject | None:
        run: JsonObject = (await client.get(f"/v1/runs/{run_id}")).json()
        return run if run["status"] == status else None

    found = await eventually(there, what=f"run {run_id} is {status}")
    assert found is not None
    return found


def failing(stub: HttpStub, id: str = "charge", **more: Any) -> JsonObject:
    """A call that is refused and held."""
    inputs = {"url": f"{stub.url}/{id}", "method": "POST"}
    return {"id": id, "type": "action", "action": "http.request", "inputs": inputs, "on_error": "hold", **more}


def client_of(platform: Platform, workspace: TestWorkspace) -> httpx.AsyncClient:
    """A client of an API over another platform, with the key of this test's workspace."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(platform)),
        base_url="http://holdfast.test",
        headers={"Authorization": f"Bearer {workspace.api_key}"},
        timeout=60,
    )
