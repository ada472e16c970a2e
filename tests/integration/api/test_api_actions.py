"""A draft's steps over HTTP, one by one."""

import httpx

from app.json import JsonObject
from tests.integration.api.calls import SET_ONE, a_workflow, an_active_workflow, made, problem

SEND: JsonObject = {"action": "http.request", "inputs": {"url": "https://example.com"}}


async def ids(client: httpx.AsyncClient, path: str) -> list[str]:
    return [step["id"] for step in (await client.get(path)).json()["items"]]


async def test_steps_are_added_read_replaced_reordered_and_deleted(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await a_workflow(api_client, SET_ONE)}/actions"
    answer = await api_client.post(path, json={"id": "send", **SEND})
    assert answer.status_code == 201
    place = {"path": "steps[1]", "position": 1, "parent": None, "branch": None}
    assert answer.json() == {"id": "send", "type": "action", **SEND, **place}
    await made(api_client, path, {"id": "first", **SEND, "position": 0})
    assert await ids(api_client, path) == ["first", "one", "send"]
    assert (await api_client.get(f"{path}/send")).json()["action"] == "http.request"
    replaced = await api_client.put(f"{path}/send", json={"type": "delay", "duration": "5m"})
    assert (replaced.json()["duration"], replaced.json()["position"]) == ("5m", 2)
    assert (await api_client.put(f"{path}/send", json=replaced.json())).json() == replaced.json()
    order = await made(api_client, f"{path}/reorder", {"order": ["send", "first", "one"]})
    assert [step["id"] for step in order["items"]] == ["send", "first", "one"]
    await made(api_client, f"{path}/reorder", {"action_positions": {"one": 0}})
    assert await ids(api_client, path) == ["one", "send", "first"]
    assert (await api_client.delete(f"{path}/send")).status_code == 204
    assert await ids(api_client, path) == ["one", "first"]


async def test_a_step_is_added_inside_another(api_client: httpx.AsyncClient) -> None:
    each = {"id": "each", "type": "loop", "items": [1], "steps": []}
    choice = {"id": "choice", "type": "condition", "branches": [{"when": "{{ true }}", "steps": []}]}
    path = f"/v1/workflows/{await a_workflow(api_client, each, choice)}/actions"
    for step_id, parent, branch in (("a", "each", "steps"), ("b", "choice", 0), ("c", "choice", "else")):
        await made(api_client, path, {"id": step_id, **SEND, "parent": parent, "branch": branch})
    assert await ids(api_client, path) == ["each", "a", "choice", "b", "c"]
    problem(
        await api_client.post(path, json={"id": "d", **SEND, "parent": "choice", "branch": 7}), 422, "invalid_branch"
    )
    problem(await api_client.post(path, json={"id": "d", **SEND, "parent": "nobody"}), 404, "step_not_found")


async def test_a_step_that_undoes_another_is_added_moved_and_deleted(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await a_workflow(api_client, SET_ONE)}/actions"
    for step_id in ("refund", "tell"):
        made_at = await made(api_client, path, {"id": step_id, **SEND, "parent": "one", "branch": "compensate"})
    assert made_at["path"] == "steps[0].compensate[1]"
    place = {"position": 0, "parent": "one", "branch": "compensate", "path": "steps[0].compensate[0]"}
    read = (await api_client.get(f"{path}/refund")).json()
    assert {key: read[key] for key in place} == place
    await made(api_client, f"{path}/reorder", {"order": ["tell", "refund"]})
    assert await ids(api_client, path) == ["one", "tell", "refund"]
    assert (await api_client.delete(f"{path}/tell")).status_code == 204
    assert await ids(api_client, path) == ["one", "refund"]


async def test_a_step_that_is_none_is_refused(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await a_workflow(api_client, SET_ONE)}/actions"
    problem(await api_client.post(path, json={"id": "x", "type": "nap"}), 422, "invalid_definition")
    problem(await api_client.post(path, json={"id": "x", **SEND, "inptus": 1}), 422, "invalid_definition")
    problem(await api_client.post(path, json={"id": "one", **SEND}), 409, "step_exists")
    problem(await api_client.post(path, json={"id": "x", **SEND, "position": "0"}), 422, "invalid_request")
    problem(await api_client.post(path, json={"id": "x", **SEND, "position": -1}), 422, "invalid_request")
    problem(await api_client.put(f"{path}/one", json={"type": "nap"}), 422, "invalid_definition")
    problem(await api_client.put(f"{path}/two", json=SET_ONE | {"id": "two"}), 404, "step_not_found")
    problem(await api_client.get(f"{path}/two"), 404, "step_not_found")
    problem(await api_client.delete(f"{path}/two"), 404, "step_not_found")


async def test_an_order_that_is_none_is_refused(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await a_workflow(api_client, SET_ONE, {**SET_ONE, 'id': 'two'})}/actions/reorder"
    for order in (["one"], ["one", "one"], ["one", "two", "one"]):
        problem(await api_client.post(path, json={"order": order}), 422, "invalid_order")
    problem(await api_client.post(path, json={}), 422, "invalid_request")
    problem(await api_client.post(path, json={"order": [], "action_positions": {}}), 422, "invalid_request")
    problem(await api_client.post(path, json={"action_positions": {"one": "x"}}), 422, "invalid_request")


async def test_the_steps_of_an_active_workflow_are_not_changed(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/actions"
    problem(await api_client.post(path, json={"id": "send", **SEND}), 409, "workflow_active")
    problem(
        await api_client.put(f"{path}/one", json={k: v for k, v in SET_ONE.items() if k != "id"}),
        409,
        "workflow_active",
    )
    problem(await api_client.post(f"{path}/reorder", json={"order": ["one"]}), 409, "workflow_active")
    problem(await api_client.delete(f"{path}/one"), 409, "workflow_active")


async def test_a_draft_has_no_more_steps_than_the_workspace_allows(api_client: httpx.AsyncClient) -> None:
    await api_client.patch("/v1/workspace", json={"settings": {"max_steps": 2}})
    path = f"/v1/workflows/{await a_workflow(api_client, SET_ONE)}/actions"
    await made(api_client, path, {"id": "two", **SEND})
    problem(await api_client.post(path, json={"id": "three", **SEND}), 409, "too_many_steps")


async def test_if_match_guards_single_steps_too(api_client: httpx.AsyncClient) -> None:
    workflow = f"/v1/workflows/{await a_workflow(api_client)}"
    stale = {"If-Match": (await api_client.get(workflow)).headers["etag"]}
    assert (await api_client.patch(workflow, json={"description": "changed meanwhile"})).status_code == 200
    step = {"id": "late", "type": "stop"}
    for refused in (
        await api_client.post(f"{workflow}/actions", json=step, headers=stale),
        await api_client.put(f"{workflow}/actions/late", json=step, headers=stale),
        await api_client.delete(f"{workflow}/actions/late", headers=stale),
        await api_client.post(f"{workflow}/actions/reorder", json={"order": ["late"]}, headers=stale),
    ):
        problem(refused, 412, "stale")
    fresh = {"If-Match": (await api_client.get(workflow)).headers["etag"]}
    assert (await api_client.post(f"{workflow}/actions", json=step, headers=fresh)).status_code == 201
