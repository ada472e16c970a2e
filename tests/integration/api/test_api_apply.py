"""Applying a definition over HTTP: the workspace has it afterwards, however things stood before."""

import httpx
import yaml

from tests.integration.api.calls import SET_ONE, paths, problem

DEFINITION = {"name": "Nightly report", "steps": [SET_ONE]}


async def apply(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/v1/workflows/apply", json={"definition": DEFINITION, **body})


async def test_a_definition_is_created_then_left_alone_then_changed(api_client: httpx.AsyncClient) -> None:
    created, again = await apply(api_client), await apply(api_client)
    changed = await apply(api_client, definition={**DEFINITION, "variables": {"a": 1}}, comment="a variable")
    assert [answer.status_code for answer in (created, again, changed)] == [200, 200, 200]
    assert [answer.json()["result"] for answer in (created, again, changed)] == ["created", "unchanged", "updated"]
    assert len({answer.json()["workflow"]["id"] for answer in (created, again, changed)}) == 1
    assert changed.json()["workflow"]["status"] == "active"
    assert (changed.json()["version"]["number"], changed.json()["version"]["comment"]) == (2, "a variable")


async def test_a_yaml_file_is_applied_as_it_is(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post(
        "/v1/workflows/apply", content=yaml.safe_dump(DEFINITION), headers={"Content-Type": "application/yaml"}
    )
    assert (answer.status_code, answer.json()["workflow"]["slug"]) == (200, "nightly-report")


async def test_problems_change_nothing(api_client: httpx.AsyncClient) -> None:
    await apply(api_client)
    broken = {**DEFINITION, "steps": [{"id": "a", "type": "action", "action": "carrier.pigeon"}]}
    answer = await apply(api_client, definition=broken)
    assert paths(problem(answer, 422, "invalid_definition")) == ["steps[0].action"]
    assert (await apply(api_client)).json()["result"] == "unchanged"


async def test_a_definition_without_a_name_is_refused(api_client: httpx.AsyncClient) -> None:
    answer = await apply(api_client, definition={"steps": [SET_ONE]})
    assert paths(problem(answer, 422, "invalid_definition")) == ["name"]


async def test_problems_of_shape_and_of_meaning_are_told_at_once(api_client: httpx.AsyncClient) -> None:
    steps = [
        {"id": "a", "type": "delay", "duration": "5x"},
        {"id": "b", "type": "action", "action": "carrier.pigeon"},
        {"id": "c", "type": "transform", "mapping": {"x": "{{ steps.nope.output }}"}},
    ]
    broken = {"name": "Broken", "steps": steps, "stepz": []}
    expected = ["steps[0].duration", "steps[1].action", "steps[2].mapping.x", "stepz"]
    assert sorted(paths(problem(await apply(api_client, definition=broken), 422, "invalid_definition"))) == expected
    made = (await api_client.post("/v1/workflows", json={"name": "Broken"})).json()
    checked = await api_client.post(f"/v1/workflows/{made['id']}/validate", json={"definition": broken})
    assert sorted(problem["path"] for problem in checked.json()["problems"]) == expected
