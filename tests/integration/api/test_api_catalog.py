"""The catalog, the schema of definitions and the API's own documentation."""

import re

import httpx
from jsonschema import Draft202012Validator

from app.json import Json
from tests.integration.api.calls import SET_ONE, a_workflow, made, problem


async def test_the_catalog_lists_what_can_be_done(api_client: httpx.AsyncClient) -> None:
    found = {item["id"]: item for item in (await api_client.get("/v1/catalog/actions")).json()["items"]}
    assert {"http.request", "webhook.send", "email.send", "transform.map"} <= set(found)
    for action in found.values():
        Draft202012Validator.check_schema(action["inputs_schema"])
        Draft202012Validator.check_schema(action["outputs_schema"])
        assert action["title"]
        assert action["description"]
        assert action["retry"]["max_attempts"] >= 1
    email = found["email.send"]
    assert (email["connection"], email["where"], email["category"]) == ("smtp", "remote", "email")
    assert "send_email" in email["aliases"]
    assert "to" in email["inputs_schema"]["properties"]
    assert all(set(error) == {"type", "retryable"} for error in email["errors"])


async def test_one_action_is_found_by_id_and_by_alias(api_client: httpx.AsyncClient) -> None:
    by_id = (await api_client.get("/v1/catalog/actions/email.send")).json()
    assert (await api_client.get("/v1/catalog/actions/send_email")).json() == by_id
    problem(await api_client.get("/v1/catalog/actions/email.dance"), 404, "action_not_found")


async def test_the_catalog_is_searched(api_client: httpx.AsyncClient) -> None:
    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await api_client.get(f"/v1/catalog/actions?{query}")).json()["items"]]

    assert await ids("category=email") == ["email.send"]
    assert await ids("q=WEBHOOK") == ["webhook.send"]
    assert await ids("q=nothing-like-it") == []


async def test_the_schema_of_definitions_accepts_one_and_refuses_another(api_client: httpx.AsyncClient) -> None:
    schema = (await api_client.get("/v1/schema/definition")).json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"steps": [{"id": "a", "type": "delay", "duration": "5m"}]})
    assert not validator.is_valid({"steps": [{"id": "a", "type": "nap"}]})


async def test_the_openapi_document_describes_every_call(api_client: httpx.AsyncClient) -> None:
    document = (await api_client.get("/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    assert {"workflows_create", "runs_start", "events_send"} <= set(ids)
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        if "/v1/" in name:
            assert operation["security"] == [{"api_key": []}], name
            assert {"401", "422", "503"} <= set(operation["responses"]), name
    for name in ("POST /v1/workflows", "PATCH /v1/workflows/{workflow_id}", "POST /v1/workflows/{workflow_id}/runs"):
        reference = operations[name]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_every_reference_of_the_openapi_document_leads_somewhere(api_client: httpx.AsyncClient) -> None:
    text = (await api_client.get("/openapi.json")).text
    document: Json = (await api_client.get("/openapi.json")).json()
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert referred <= set(document["components"]["schemas"])
    assert "$defs" not in text
    assert "HTTPValidationError" not in text


async def test_the_components_of_the_openapi_document_have_names_the_standard_allows(
    api_client: httpx.AsyncClient,
) -> None:
    components = (await api_client.get("/openapi.json")).json()["components"]
    names = [name for kind in components.values() for name in kind]
    assert "api_key" in names
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z0-9._-]+", name)] == []


async def test_the_documentation_needs_nobody_elses_network(api_client: httpx.AsyncClient) -> None:
    for page in ("/docs", "/redoc"):
        answer = await api_client.get(page)
        assert answer.status_code == 200
        needed = re.findall(r'(?:src|href|url)[=:] *["\']([^"\']+)', answer.text)
        assert len(needed) > 1
        for address in needed:
            assert address.startswith("/"), address
            assert (await api_client.get(address)).status_code == 200


async def test_the_types_of_event_are_listed_and_searched(api_client: httpx.AsyncClient) -> None:
    async def found(query: str) -> list[Json]:
        items: list[Json] = (await api_client.get(f"/v1/catalog/events?{query}")).json()["items"]
        return items

    assert len(await found("")) > 120
    assert {item["category"] for item in await found("category=booking")} == {"booking"}
    assert [item["id"] for item in await found("q=NO_SHOW")] == ["booking.appointment.no_show"]
    assert await found("q=nothing-like-it") == []


async def test_one_type_of_event_is_described(api_client: httpx.AsyncClient) -> None:
    won = (await api_client.get("/v1/catalog/events/crm.deal.won")).json()
    assert (won["category"], won["entity"], won["title"]) == ("crm", "deal", "Deal won")
    Draft202012Validator(won["data_schema"]).validate(won["examples"][0])
    paid = (await api_client.get("/v1/catalog/events/ecommerce.order.paid")).json()
    assert (paid["data_schema"], paid["examples"]) == (None, [])
    answer = problem(await api_client.get("/v1/catalog/events/crm.deal.wom"), 404, "event_type_not_found")
    assert "Did you mean 'crm.deal.won'?" in answer["detail"]


async def test_a_type_that_looks_misspelt_is_warned_of_and_published_all_the_same(
    api_client: httpx.AsyncClient,
) -> None:
    workflow_id = await a_workflow(api_client, SET_ONE, trigger={"type": "event", "event": "crm.contacts.created"})
    checked = await made(api_client, f"/v1/workflows/{workflow_id}/validate")
    assert checked["valid"] is True
    [warning] = checked["problems"]
    assert (warning["path"], warning["severity"]) == ("trigger.event", "warning")
    assert "crm.contact.created" in warning["hint"]
    assert (await made(api_client, f"/v1/workflows/{workflow_id}/publish"))["number"] == 1
