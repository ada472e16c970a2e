"""What a run may be started with: served for a page to draw a form, and checked field by field."""

import httpx
import pytest

from app.json import Json, JsonObject
from tests.integration.api.calls import SET_ONE, a_workflow, an_active_workflow, made, paths, problem

pytestmark = pytest.mark.usefixtures("worker")

SCHEMA: JsonObject = {
    "type": "object",
    "required": ["email", "size"],
    "properties": {
        "email": {"type": "string", "format": "email", "title": "E-mail", "description": "Where to write to."},
        "size": {"enum": ["small", "large"], "default": "small"},
        "seats": {"type": "integer", "minimum": 1, "maximum": 8},
        "news": {"type": "boolean", "default": True},
        "home": {"$ref": "#/$defs/address"},
        "way": {"oneOf": [{"const": 1, "title": "By air"}, {"const": 2}], "format": "radio"},
    },
    "$defs": {"address": {"type": "object", "description": "Street and town.", "required": ["town"]}},
    "examples": [{"email": "ada@example.com", "size": "large"}],
}


def manual(schema: Json) -> JsonObject:
    return {"type": "manual", "input_schema": schema}


async def test_the_input_is_served_as_fields(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, trigger=manual(SCHEMA))
    found = (await api_client.get(f"/v1/workflows/{workflow_id}/input")).json()
    assert (found["version"], found["input_schema"], found["alternatives"]) == (1, SCHEMA, [])
    assert found["examples"] == SCHEMA["examples"]
    assert [field["name"] for field in found["fields"]] == list(SCHEMA["properties"]), (
        "in the order they were written in"
    )
    fields = {field["name"]: field for field in found["fields"]}
    assert fields["email"] == {
        "name": "email", "label": "E-mail", "kind": "email", "required": True, "description": "Where to write to.",
        "default": None, "options": [], "labels": [], "limits": {},
    }  # fmt: skip
    assert [fields["size"][key] for key in ("kind", "options", "default")] == ["select", ["small", "large"], "small"]
    assert [fields["way"][key] for key in ("kind", "options", "labels")] == ["radio", [1, 2], ["By air", "2"]]
    assert [fields["seats"][key] for key in ("kind", "required")] == ["number", False]
    assert fields["seats"]["limits"] == {"min": 1, "max": 8, "step": 1}
    assert [fields["news"][key] for key in ("kind", "default")] == ["checkbox", True]
    assert [fields["home"][key] for key in ("kind", "description")] == ["json", "Street and town."]


async def test_what_is_served_is_of_the_version_new_runs_take_or_of_the_one_asked_for(
    api_client: httpx.AsyncClient,
) -> None:
    workflow_id = await a_workflow(api_client, SET_ONE, trigger=manual({"type": "string"}))
    path = f"/v1/workflows/{workflow_id}"
    problem(await api_client.get(f"{path}/input"), 409, "workflow_not_active")
    await made(api_client, f"{path}/publish")
    assert (await api_client.get(f"{path}/input")).json()["fields"] == []
    await made(api_client, f"{path}/pause")
    second = {"steps": [SET_ONE], "triggers": [manual(SCHEMA), manual({"type": "integer"}), {"type": "manual"}]}
    await api_client.patch(path, json={"definition": second})
    await made(api_client, f"{path}/publish")
    found = (await api_client.get(f"{path}/input")).json()
    assert (found["version"], [each["input_schema"] for each in found["alternatives"]]) == (2, [{"type": "integer"}])
    assert (await api_client.get(f"{path}/input?version=1")).json()["input_schema"] == {"type": "string"}
    problem(await api_client.get(f"{path}/input?version=3"), 404, "version_not_found")
    problem(await api_client.get(f"{path}/input?version=0"), 422, "invalid_request")
    await made(api_client, f"{path}/archive")
    problem(await api_client.get(f"{path}/input"), 409, "workflow_not_active")
    assert (await api_client.get(f"{path}/input?version=2")).status_code == 200


async def test_a_workflow_that_takes_any_input_says_so(api_client: httpx.AsyncClient) -> None:
    for trigger in ({"type": "manual"}, {"type": "event", "event": "a.b"}):
        workflow_id = await an_active_workflow(api_client, trigger=trigger)
        found = problem(await api_client.get(f"/v1/workflows/{workflow_id}/input"), 404, "no_input_schema")
        assert "any input" in found["detail"]
    unknown = "0198b0c7-0000-7000-8000-000000000001"
    problem(await api_client.get(f"/v1/workflows/{unknown}/input"), 404, "workflow_not_found")


async def test_each_field_that_does_not_fit_is_told_at_its_place(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client, trigger=manual(SCHEMA))}/runs"
    wrong = {"email": "ada", "seats": 9, "home": {}}
    found = problem(await api_client.post(path, json={"input": wrong}), 422, "invalid_input")
    assert {each["path"]: each["message"] for each in found["errors"]} == {
        "input.size": "is required",
        "input.email": "must be an e-mail address, like ada@example.com",
        "input.seats": "must be at most 8",
        "input.home.town": "is required",
    }
    assert "input.size: is required" in found["detail"]


async def test_of_several_manual_triggers_the_first_that_fits_is_taken(api_client: httpx.AsyncClient) -> None:
    triggers = [manual({"type": "string"}), manual(SCHEMA)]
    path = f"/v1/workflows/{await an_active_workflow(api_client, triggers=triggers)}/runs"
    for fits in ("text", {"email": "a@b", "size": "small"}):
        await made(api_client, path, {"input": fits})
    found = problem(await api_client.post(path, json={"input": {"email": "a@b"}}), 422, "invalid_input")
    assert paths(found) == ["input.size"]
