"""Connections over HTTP. What is secret goes in and never comes out."""

import httpx
import pytest

from app.json import JsonObject
from tests.integration.api.calls import made, paths, problem

SECRET = "correct horse battery staple"
SMTP: JsonObject = {
    "kind": "smtp",
    "name": "smtp-main",
    "config": {"host": "mail.example.com", "security": "tls"},
    "credentials": {"username": "me", "password": SECRET},
}


async def test_a_connection_is_made_read_changed_and_deleted(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/connections", json=SMTP)
    assert answer.status_code == 201
    path = answer.headers["location"]
    found = answer.json()
    assert (found["kind"], found["name"], found["config"]["host"]) == ("smtp", "smtp-main", "mail.example.com")
    assert found["credentials"] == {"configured": True, "fields": ["password", "username"]}
    elsewhere = {"description": "d", "config": {"host": "m2"}}
    found = problem(await api_client.patch(path, json=elsewhere), 422, "invalid_connection")
    assert [(each["path"], each["hint"]) for each in found["errors"]] == [
        ("config.host", "give the credentials along with it, or null to remove them")
    ]
    changed = await api_client.patch(path, json=elsewhere | {"credentials": {"username": "me", "password": SECRET}})
    assert changed.status_code == 200
    assert (changed.json()["config"]["host"], changed.json()["description"]) == ("m2", "d")
    assert changed.json()["credentials"]["configured"] is True
    none = await api_client.patch(path, json={"credentials": None})
    assert none.json()["credentials"] == {"configured": False, "fields": []}
    assert (await api_client.get(path)).json() == none.json()
    assert (await api_client.delete(path)).status_code == 204
    problem(await api_client.get(path), 404, "connection_not_found")
    problem(await api_client.delete(path), 404, "connection_not_found")


async def test_credentials_are_in_no_answer(api_client: httpx.AsyncClient) -> None:
    made_ = await api_client.post("/v1/connections", json=SMTP)
    path = made_.headers["location"]
    answers = [
        made_,
        await api_client.get(path),
        await api_client.get("/v1/connections"),
        await api_client.patch(path, json={"credentials": {"username": "me", "password": SECRET}}),
        await api_client.post("/v1/connections", json=SMTP),
        await api_client.post("/v1/connections", json=SMTP | {"credentials": {"password": SECRET}}),
        await api_client.post("/v1/connections", json=SMTP | {"credentials": {"password": [SECRET]}}),
        await api_client.post("/v1/connections", json=SMTP | {"credentials": SECRET}),
        await api_client.patch(path, json={"credentials": {SECRET: SECRET}}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 409, 422, 422, 422, 422]
    for answer in answers[:-1]:
        assert SECRET not in answer.text


async def test_connections_are_listed_by_kind_and_page(api_client: httpx.AsyncClient) -> None:
    for name in ("b", "a", "c"):
        await made(api_client, "/v1/connections", SMTP | {"name": name})
    page = (await api_client.get("/v1/connections?limit=2")).json()
    rest = (await api_client.get(f"/v1/connections?limit=2&cursor={page['next_cursor']}")).json()
    assert [item["name"] for item in page["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None
    assert (await api_client.get("/v1/connections?kind=http")).json()["items"] == []


async def test_a_name_is_taken_once(api_client: httpx.AsyncClient) -> None:
    await made(api_client, "/v1/connections", SMTP)
    other = await made(api_client, "/v1/connections", SMTP | {"name": "other"})
    problem(await api_client.post("/v1/connections", json=SMTP), 409, "connection_name_taken")
    taken = await api_client.patch(f"/v1/connections/{other['id']}", json={"name": "smtp-main"})
    problem(taken, 409, "connection_name_taken")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "carrier-pigeon"}, "kind"),
        ({"name": ""}, "name"),
        ({"config": {}}, "config.host"),
        ({"config": {"host": "h", "prot": 1}}, "config.prot"),
        ({"config": {"host": "h", "port": 0}}, "config.port"),
        ({"credentials": {"username": "me"}}, "credentials"),
        ({"credentials": {"user": "me"}}, "credentials.user"),
    ],
)
async def test_what_does_not_fit_the_kind_is_refused(
    api_client: httpx.AsyncClient, change: JsonObject, path: str
) -> None:
    found = problem(await api_client.post("/v1/connections", json=SMTP | change), 422, "invalid_connection")
    assert path in paths(found)
