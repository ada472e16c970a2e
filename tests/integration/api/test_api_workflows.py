"""Workflows over HTTP: from draft to version to archive, and what is refused on the way."""

import httpx
import yaml

from tests.integration.api.calls import SET_ONE, a_workflow, an_active_workflow, made, paths, problem

YAML = {"Content-Type": "application/yaml"}


async def test_a_workflow_is_made_read_changed_and_deleted(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/workflows", json={"name": "Win back", "tags": ["shop"], "description": "d"})
    assert answer.status_code == 201
    workflow = answer.json()
    assert answer.headers["location"] == f"/v1/workflows/{workflow['id']}"
    assert (workflow["slug"], workflow["status"], workflow["active_version"]) == ("win-back", "draft", None)
    assert workflow["stats"]["total_runs"] == 0
    changed = await api_client.patch(
        answer.headers["location"], json={"name": "Won", "definition": {"steps": [SET_ONE]}}
    )
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["description"]) == ("Won", "d")
    assert changed.json()["draft"] == {"steps": [SET_ONE]}
    assert (await api_client.get(answer.headers["location"])).json() == changed.json()
    assert (await api_client.delete(answer.headers["location"])).status_code == 204
    problem(await api_client.get(answer.headers["location"]), 404, "workflow_not_found")


async def test_yaml_is_taken_as_a_request_or_as_the_definition_alone(api_client: httpx.AsyncClient) -> None:
    definition = {"name": "From a file", "steps": [SET_ONE]}
    alone = await api_client.post("/v1/workflows", content=yaml.safe_dump(definition), headers=YAML)
    assert (alone.status_code, alone.json()["name"]) == (201, "From a file")
    assert alone.json()["draft"] == definition
    request = {"name": "Whole", "tags": ["a"], "definition": definition}
    whole = await api_client.post("/v1/workflows", content=yaml.safe_dump(request), headers=YAML)
    assert (whole.json()["name"], whole.json()["tags"]) == ("Whole", ["a"])
    path = f"/v1/workflows/{alone.json()['id']}"
    changed = await api_client.patch(path, content="steps: []", headers=YAML)
    assert (changed.json()["draft"], changed.json()["name"]) == ({}, "From a file")
    checked = await api_client.post(f"{path}/validate", content="steps: [{id: a, type: nap}]", headers=YAML)
    assert checked.json()["valid"] is False


async def test_if_match_guards_a_draft_against_a_change_made_meanwhile(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await a_workflow(api_client)}"
    tag = (await api_client.get(path)).headers["etag"]
    first = await api_client.patch(path, json={"name": "First"}, headers={"If-Match": tag})
    assert first.status_code == 200
    assert first.headers["etag"] != tag
    problem(await api_client.patch(path, json={"name": "Second"}, headers={"If-Match": tag}), 412, "stale")
    for wrong in ('"other"', '"99999999999999999999"', '""'):
        problem(await api_client.patch(path, json={"name": "Second"}, headers={"If-Match": wrong}), 412, "stale")
    answer = await api_client.patch(path, json={"name": "Second"}, headers={"If-Match": "no tag"})
    assert paths(problem(answer, 422, "invalid_request")) == ["header.If-Match"]
    assert (await api_client.get(path)).json()["name"] == "First"
    assert (await api_client.patch(path, json={"name": "Any"}, headers={"If-Match": "*"})).status_code == 200
    assert (await api_client.patch(path, json={"name": "None"})).status_code == 200


async def test_workflows_are_listed_by_status_tag_and_text(api_client: httpx.AsyncClient) -> None:
    active = await an_active_workflow(api_client)
    tagged = (await made(api_client, "/v1/workflows", {"name": "100% Hello", "tags": ["x"]}))["id"]

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await api_client.get(f"/v1/workflows?{query}")).json()["items"]]

    assert await ids("status=active") == [active]
    assert await ids("tag=x") == [tagged]
    assert await ids("q=hello") == [tagged]
    assert await ids("q=0%25") == [tagged]
    assert await ids("q=5%25") == []
    assert await ids("sort=name") == [tagged, active]


async def test_a_list_is_read_page_by_page(api_client: httpx.AsyncClient) -> None:
    ids = [await a_workflow(api_client, name=f"W{number}") for number in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api_client.get(f"/v1/workflows?limit=2&sort=created_at{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids


async def test_a_definition_of_the_wrong_shape_is_refused_with_all_problems(api_client: httpx.AsyncClient) -> None:
    definition = {"stepz": [], "steps": [{"id": "A", "type": "stop"}, {"id": "b", "type": "nap"}]}
    answer = await api_client.post("/v1/workflows", json={"name": "x", "definition": definition})
    found = problem(answer, 422, "invalid_definition")
    assert len(found["errors"]) >= 3
    assert any("stepz" in path for path in paths(found))


async def test_validation_lists_what_publishing_would_refuse(api_client: httpx.AsyncClient) -> None:
    steps = [
        {"id": "a", "type": "action", "action": "e-mail.send", "inputs": {}},
        {"id": "b", "type": "transform", "mapping": {"x": "{{ steps.nowhere.output }}"}},
    ]
    workflow_id = await a_workflow(api_client, *steps)
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/validate")
    assert answer.status_code == 200
    found = answer.json()
    assert found["valid"] is False
    assert {item["path"].partition(".")[0] for item in found["problems"]} == {"steps[0]", "steps[1]"}
    refused = problem(await api_client.post(f"/v1/workflows/{workflow_id}/publish"), 422, "invalid_definition")
    assert paths(refused) == [item["path"] for item in found["problems"] if item["severity"] == "error"]
    assert (await api_client.get(f"/v1/workflows/{workflow_id}")).json()["status"] == "draft"
    other = await api_client.post(f"/v1/workflows/{workflow_id}/validate", json={"definition": {"steps": [SET_ONE]}})
    assert other.json() == {"valid": True, "problems": []}


async def test_publishing_makes_versions_that_can_be_read_and_restored(api_client: httpx.AsyncClient) -> None:
    workflow_id = await a_workflow(api_client, SET_ONE)
    path = f"/v1/workflows/{workflow_id}"
    answer = await api_client.post(f"{path}/publish", json={"comment": "first"})
    assert answer.status_code == 201
    assert (answer.json()["number"], answer.json()["comment"]) == (1, "first")
    assert answer.json()["published_by"]
    await made(api_client, f"{path}/pause")
    second = {"steps": [{**SET_ONE, "variables": {"total": 2}}]}
    await api_client.patch(path, json={"definition": second})
    await made(api_client, f"{path}/publish", {"activate": False})
    assert (await api_client.get(path)).json()["active_version"] == 1
    assert [one["number"] for one in (await api_client.get(f"{path}/versions")).json()["items"]] == [2, 1]
    assert (await api_client.get(f"{path}/versions/2")).json()["definition"] == second
    problem(await api_client.get(f"{path}/versions/3"), 404, "version_not_found")
    assert (await made(api_client, f"{path}/versions/1/restore"))["draft"] == {"steps": [SET_ONE]}


async def test_an_active_workflow_is_not_changed_and_the_answer_says_how(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}"
    found = problem(await api_client.patch(path, json={"definition": {"steps": []}}), 409, "workflow_active")
    assert "pause" in found["detail"]
    assert "allow_drafts_beside_active" in found["detail"]
    problem(await api_client.post(f"{path}/versions/1/restore"), 409, "workflow_active")
    assert (await api_client.patch(path, json={"name": "Renamed"})).status_code == 200
    allowed = await api_client.patch("/v1/workspace", json={"settings": {"allow_drafts_beside_active": True}})
    assert allowed.json()["settings"] == {
        "max_steps": 50,
        "allow_drafts_beside_active": True,
        "retention_days": None,
        "egress": {"mode": "public", "allow_hosts": []},
    }
    assert (await api_client.patch(path, json={"definition": {"steps": []}})).status_code == 200
    assert (await api_client.get(path)).json()["status"] == "active"


async def test_the_status_goes_from_active_to_paused_to_archived_and_back(api_client: httpx.AsyncClient) -> None:
    draft = f"/v1/workflows/{await a_workflow(api_client, SET_ONE)}"
    problem(await api_client.post(f"{draft}/activate"), 409, "nothing_published")
    path = f"/v1/workflows/{await an_active_workflow(api_client)}"
    for verb, status in (("pause", "paused"), ("activate", "active"), ("archive", "archived"), ("activate", "active")):
        answer = await api_client.post(f"{path}/{verb}")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert answer.headers["etag"] == f'"{answer.json()["revision"]}"'


async def test_a_duplicate_is_a_draft_of_its_own(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client)
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/duplicate")
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/workflows/{answer.json()['id']}"
    assert (answer.json()["status"], answer.json()["draft"]) == ("draft", {"steps": [SET_ONE]})
    assert answer.json()["id"] != workflow_id


async def test_the_workspaces_settings_are_checked(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/v1/workspace")).json()["settings"]["max_steps"] == 50
    for days in (30, 0, None):
        kept = await api_client.patch("/v1/workspace", json={"settings": {"retention_days": days}})
        assert kept.json()["settings"]["retention_days"] == days
    for wrong in ({"max_steps": 0}, {"max_steps": "9"}, {"unknown": 1}, {"retention_days": -1}):
        problem(await api_client.patch("/v1/workspace", json={"settings": wrong}), 422, "invalid_settings")
