"""Runs that runs start, over HTTP: found by their parent, shown with it, and refused circles when publishing."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.json import Json, JsonObject
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace
from tests.integration.api.calls import (
    SET_ONE,
    WAIT,
    a_workflow,
    an_active_workflow,
    client_of,
    is_,
    made,
    paths,
    problem,
)

pytestmark = pytest.mark.usefixtures("worker")


def runs(workflow: str, **more: Json) -> JsonObject:
    return {"id": "child", "type": "run_workflow", "workflow": workflow, **more}


@pytest.fixture
async def other_client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another workspace."""
    row, key = await create_workspace(platform, "Other")
    async with client_of(platform, TestWorkspace(row.workspace_id, key)) as client:
        yield client


async def test_children_are_found_by_their_parent(
    api_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    child = await an_active_workflow(api_client, WAIT)
    parent = await an_active_workflow(api_client, runs(child))
    run = await made(api_client, f"/v1/workflows/{parent}/runs")
    waiting = await is_(api_client, run["id"], "waiting")
    query = {"parent_run_id": run["id"]}
    [found] = (await api_client.get("/v1/runs", params=query)).json()["items"]
    assert (found["parent_run_id"], found["parent_path"], found["workflow_id"]) == (run["id"], "child", child)
    assert found["trigger"]["type"] == "workflow"
    assert waiting["waiting_for"] == {"kind": "run", "event": None, "until": None, "run_id": found["id"]}
    [step] = (await api_client.get(f"/v1/runs/{run['id']}/steps")).json()["items"]
    assert step["wait"]["run_id"] == found["id"]
    [one] = (await api_client.get("/v1/runs", params={"waiting_for": "run"})).json()["items"]
    assert one["id"] == run["id"]
    assert (await other_client.get("/v1/runs", params=query)).json()["items"] == []
    await made(api_client, f"/v1/runs/{run['id']}/cancel")
    await is_(api_client, found["id"], "cancelled")


async def test_a_workflow_that_would_run_itself_is_not_published(api_client: httpx.AsyncClient) -> None:
    first = await a_workflow(api_client, SET_ONE, name="First")
    second = await an_active_workflow(api_client, runs("first"), name="Second")
    third = await an_active_workflow(api_client, runs(second), name="Third")
    await api_client.patch(f"/v1/workflows/{first}", json={"definition": {"steps": [runs("third")]}})
    refused = problem(await api_client.post(f"/v1/workflows/{first}/publish"), 422, "invalid_definition")
    assert paths(refused) == ["steps[0].workflow"]
    assert "first → third → second → first" in refused["errors"][0]["message"]
    told = await made(api_client, f"/v1/workflows/{third}/validate", {"definition": {"steps": [runs("third")]}})
    assert "third → third" in told["problems"][0]["message"]


async def test_publishing_names_workflows_that_are_not_there_and_warns_of_those_at_rest(
    api_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await a_workflow(api_client, SET_ONE, name="Only a draft")
    elsewhere = await an_active_workflow(other_client)
    workflow = await a_workflow(api_client, SET_ONE)
    steps = [{**runs(name), "id": f"s{n}"} for n, name in enumerate(["nowhere", elsewhere, "only-a-draft"])]
    told = await made(api_client, f"/v1/workflows/{workflow}/validate", {"definition": {"steps": steps}})
    assert [(one["path"], one["severity"]) for one in told["problems"]] == [
        ("steps[0].workflow", "error"), ("steps[1].workflow", "error"), ("steps[2].workflow", "warning"),
    ]  # fmt: skip


async def test_an_idempotency_key_cannot_be_that_of_a_child(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/runs"
    problem(await api_client.post(path, headers={"Idempotency-Key": "run:1/a"}), 422, "invalid_request")
