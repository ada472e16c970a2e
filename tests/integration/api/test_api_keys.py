"""Who asks: no key, a wrong key, another workspace's things."""

import httpx
import pytest

from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, an_active_workflow, made, problem

NOWHERE = "01890000-0000-7000-8000-000000000000"

CALLS = [
    ("GET", "/v1/workflows"),
    ("POST", "/v1/workflows"),
    ("GET", f"/v1/workflows/{NOWHERE}"),
    ("POST", f"/v1/workflows/{NOWHERE}/publish"),
    ("GET", f"/v1/workflows/{NOWHERE}/actions"),
    ("GET", f"/v1/workflows/{NOWHERE}/versions"),
    ("POST", f"/v1/workflows/{NOWHERE}/runs"),
    ("GET", "/v1/runs"),
    ("GET", f"/v1/runs/{NOWHERE}"),
    ("GET", f"/v1/runs/{NOWHERE}/stream"),
    ("POST", "/v1/events"),
    ("GET", "/v1/connections"),
    ("GET", "/v1/catalog/actions"),
    ("GET", "/v1/schema/definition"),
    ("GET", "/v1/workspace"),
    ("GET", "/v1/me"),
    ("POST", "/v1/api-keys"),
    ("DELETE", f"/v1/api-keys/{NOWHERE}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_call_without_a_key_is_refused(api_client: httpx.AsyncClient, method: str, path: str) -> None:
    del api_client.headers["Authorization"]
    answer = await api_client.request(method, path, content=b"{not even json")
    problem(answer, 401, "missing_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_key_is_refused(api_client: httpx.AsyncClient, workspace: TestWorkspace) -> None:
    key = workspace.api_key
    last = "a" if key[-1] != "a" else "b"
    for wrong in ("", "x", "hf_", "hf_a_b", key[:-1] + last, key + "x", key.upper(), "hf_\xe9_x", "a" * 10_000):
        header = f"Bearer {wrong}".encode("latin-1")
        answer = await api_client.get("/v1/workflows", headers=[(b"Authorization", header)])
        assert answer.status_code == 401, wrong
        problem(answer, 401, answer.json()["code"])


async def test_other_schemes_are_no_key(api_client: httpx.AsyncClient, workspace: TestWorkspace) -> None:
    for header in (f"Basic {workspace.api_key}", workspace.api_key):
        problem(await api_client.get("/v1/workflows", headers={"Authorization": header}), 401, "missing_api_key")


async def test_what_belongs_to_another_workspace_is_not_there(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    workflow_id = await an_active_workflow(api_client)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    connection = await made(api_client, "/v1/connections", {"kind": "smtp", "name": "m", "config": {"host": "h"}})
    _, other_key = await create_workspace(platform, "Other")
    api_client.headers["Authorization"] = f"Bearer {other_key}"
    for path in (
        f"/v1/workflows/{workflow_id}",
        f"/v1/workflows/{workflow_id}/actions",
        f"/v1/workflows/{workflow_id}/actions/one",
        f"/v1/workflows/{workflow_id}/versions",
        f"/v1/workflows/{workflow_id}/versions/1",
        f"/v1/runs/{run['id']}",
        f"/v1/runs/{run['id']}/steps",
        f"/v1/runs/{run['id']}/stream",
        f"/v1/connections/{connection['id']}",
    ):
        answer = await api_client.get(path)
        problem(answer, 404, answer.json()["code"])
    for verb in ("runs", "publish", "pause", "activate", "archive", "duplicate", "validate", "versions/1/restore"):
        problem(await api_client.post(f"/v1/workflows/{workflow_id}/{verb}"), 404, "workflow_not_found")
    problem(await api_client.patch(f"/v1/workflows/{workflow_id}", json={"name": "x"}), 404, "workflow_not_found")
    problem(await api_client.delete(f"/v1/workflows/{workflow_id}"), 404, "workflow_not_found")
    problem(await api_client.post(f"/v1/runs/{run['id']}/cancel"), 404, "run_not_found")
    problem(await api_client.patch(f"/v1/connections/{connection['id']}", json={}), 404, "connection_not_found")
    problem(await api_client.delete(f"/v1/connections/{connection['id']}"), 404, "connection_not_found")
    for resource in ("workflows", "runs", "connections"):
        assert (await api_client.get(f"/v1/{resource}")).json() == {"items": [], "next_cursor": None}


async def test_an_event_of_another_workspace_starts_and_wakes_nothing(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    await an_active_workflow(api_client, trigger={"type": "event", "event": "a.b"})
    _, other_key = await create_workspace(platform, "Other")
    api_client.headers["Authorization"] = f"Bearer {other_key}"
    answer = await made(api_client, "/v1/events", {"type": "a.b"})
    assert (answer["items"][0]["started"], answer["items"][0]["woke"]) == ([], [])


async def test_a_slug_and_a_name_are_free_in_another_workspace(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    await a_workflow(api_client, name="Same")
    _, other_key = await create_workspace(platform, "Other")
    api_client.headers["Authorization"] = f"Bearer {other_key}"
    assert (await made(api_client, "/v1/workflows", {"name": "Same"}))["slug"] == "same"
