"""Variables over HTTP. What is secret goes in and never comes out."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, update

from app.db.models import Run
from app.json import JsonObject
from app.services import variables
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, an_active_workflow, made, paths, problem
from tests.integration.services.building import a_run

SECRET = "correct horse battery staple"


async def test_a_variable_is_made_read_changed_and_deleted(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/variables", json={"name": "base", "value": {"a": [1]}})
    path = answer.headers["location"]
    assert (answer.status_code, path, answer.json()["value"]) == (201, "/v1/variables/base", {"a": [1]})
    problem(await api_client.post("/v1/variables", json={"name": "base", "value": 1}), 409, "variable_name_taken")
    changed = (await api_client.patch(path, json={"value": None, "description": "d"})).json()
    assert (changed["value"], changed["description"], changed["is_secret"]) == (None, "d", False)
    await made(api_client, "/v1/variables", {"name": "crm_key", "value": SECRET, "is_secret": True})
    first = (await api_client.get("/v1/variables", params={"limit": 1})).json()
    rest = (await api_client.get("/v1/variables", params={"cursor": first["next_cursor"]})).json()
    assert [one["name"] for one in (*first["items"], *rest["items"])] == ["base", "crm_key"]
    assert (await api_client.delete(path)).status_code == 204
    for answer in (await api_client.get(path), await api_client.patch(path, json={}), await api_client.delete(path)):
        problem(answer, 404, "variable_not_found")


async def test_a_secret_is_in_no_answer_and_becomes_plain_with_a_new_value_only(api_client: httpx.AsyncClient) -> None:
    made_ = await api_client.post("/v1/variables", json={"name": "key", "value": SECRET, "is_secret": True})
    changed = await api_client.patch("/v1/variables/key", json={"description": "Ours"})
    refused = await api_client.patch("/v1/variables/key", json={"is_secret": False})
    assert paths(problem(refused, 422, "invalid_variable")) == ["value"]
    answers = [
        made_,
        changed,
        refused,
        await api_client.get("/v1/variables"),
        await api_client.get("/v1/variables/key"),
    ]
    assert [SECRET in one.text for one in answers] == [False] * 5
    plain = await api_client.patch("/v1/variables/key", json={"is_secret": False, "value": "seen"})
    assert (plain.json()["is_secret"], plain.json()["value"]) == (False, "seen")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"name": "a b", "value": 1}, "name"),
        ({"name": "1a", "value": 1}, "name"),
        ({"name": "a" * 65, "value": 1}, "name"),
        ({"name": "a"}, "value"),
        ({"name": "a", "value": "x" * 16_383}, "value"),
        ({"name": "a", "value": "short", "is_secret": True}, "value"),
        ({"name": "a", "value": {"b": 1}, "is_secret": True}, "value"),
        ({"name": "a", "value": 1, "secret": True}, "secret"),
    ],
)
async def test_what_does_not_fit_is_refused_at_its_place(
    api_client: httpx.AsyncClient, body: JsonObject, at: str
) -> None:
    answer = await api_client.post("/v1/variables", json=body)
    assert answer.status_code == 422, answer.text
    assert paths(answer.json()) == [at]


async def test_who_uses_a_variable_keeps_it_from_being_deleted(api_client: httpx.AsyncClient) -> None:
    await made(api_client, "/v1/variables", {"name": "base", "value": "https://crm.example.com"})
    call = {"id": "call", "type": "action", "action": "http.request", "inputs": {"url": "{{ workspace.vars.base }}/x"}}
    named = {"id": "set", "type": "set_variable", "variables": {"base": "workspace.vars.base"}}
    workflow_id = await an_active_workflow(api_client, call, name="Calls")
    await a_workflow(api_client, named, name="Only its name")

    kept = problem(await api_client.delete("/v1/variables/base"), 409, "variable_in_use")

    assert paths(kept) == ["workflows.calls.versions[1]", "workflows.calls.draft"]
    assert '"Calls" uses it at steps[0].inputs.url' in kept["errors"][0]["message"]
    assert (await api_client.get("/v1/variables/base")).status_code == 200
    await made(api_client, f"/v1/workflows/{workflow_id}/archive")
    assert (await api_client.delete("/v1/variables/base")).status_code == 204


async def test_a_secret_stays_for_runs_under_way_and_a_plain_one_they_took_along_does_not(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    await made(api_client, "/v1/variables", {"name": "base", "value": "https://crm.example.com"})
    await made(api_client, "/v1/variables", {"name": "key", "value": SECRET, "is_secret": True})
    inputs = {"url": "{{ workspace.vars.base }}", "headers": {"X-Key": "{{ secrets.key }}"}}
    call = {"id": "call", "type": "action", "action": "http.request", "inputs": inputs}
    workflow_id = UUID(await an_active_workflow(api_client, call, name="Calls"))
    await made(api_client, f"/v1/workflows/{workflow_id}/archive")
    run_id = await a_run(platform, workspace.id, workflow_id=workflow_id, status="waiting")

    kept = problem(await api_client.delete("/v1/variables/key"), 409, "variable_in_use")
    assert paths(kept) == ["workflows.calls.versions[1]"]
    assert (await api_client.delete("/v1/variables/base")).status_code == 204
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(Run).where(Run.id == run_id).values(status="failed", finished_at=func.now()))
    assert (await api_client.delete("/v1/variables/key")).status_code == 204


async def test_an_administrator_deletes_a_used_variable_all_the_same(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    await made(api_client, "/v1/variables", {"name": "base", "value": 1})
    await a_workflow(
        api_client,
        {"id": "a", "type": "set_variable", "variables": {"a": "{{ workspace.vars.base }}"}},
        name="Half done",
    )
    body = {"name": "editor", "role": "editor"}
    editor = {"Authorization": f"Bearer {(await made(api_client, '/v1/api-keys', body))['key']}"}
    path = "/v1/variables/base"
    assert paths(problem(await api_client.delete(path, headers=editor), 409, "variable_in_use"))
    problem(await api_client.delete(f"{path}?force=true", headers=editor), 403, "not_permitted")
    assert (await api_client.delete(f"{path}?force=true")).status_code == 204


async def test_nobody_sees_anothers_variables(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    theirs, _ = await create_workspace(platform, "Theirs")
    await variables.create(platform, theirs.workspace_id, {"name": "base", "value": 1})
    problem(await api_client.get("/v1/variables/base"), 404, "variable_not_found")
    assert (await api_client.get("/v1/variables")).json()["items"] == []
