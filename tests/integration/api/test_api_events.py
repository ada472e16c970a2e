"""Events over HTTP: every way to send one, what they start and wake, and that each is done once."""

import base64
import json

import httpx
import pytest

from app.json import Json, JsonObject
from app.settings import Settings
from tests.integration.api.calls import WAIT, an_active_workflow, made, paths, problem
from tests.support.api_user import ApiUser

pytestmark = pytest.mark.usefixtures("worker")

EVENT: JsonObject = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "shop.order.created",
    "subject": "order/7",
    "time": "2026-03-01T12:00:00.5+01:00",
    "traceparent": "00-ab",
    "data": {"total": 70, "lines": [{"sku": "a"}]},
}
TRIGGER: JsonObject = {"type": "event", "event": "shop.order.created"}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


async def send(client: httpx.AsyncClient, body: Json, **headers: str) -> JsonObject:
    """The answer for the one event that is sent."""
    answer = await client.post(
        "/v1/events", content=json.dumps(body), headers={"Content-Type": "application/json"} | headers
    )
    assert answer.status_code == 202, answer.text
    items: list[JsonObject] = answer.json()["items"]
    assert len(items) == 1
    return items[0]


async def echo(client: httpx.AsyncClient, **trigger: Json) -> str:
    """An active workflow that answers with the event that started it."""
    return await an_active_workflow(
        client, trigger=TRIGGER | trigger, output={"data": "{{ trigger }}", "event": "{{ event }}"}
    )


async def test_an_event_starts_the_workflow_that_listens(api_client: httpx.AsyncClient) -> None:
    workflow_id = await echo(api_client)
    done = await send(api_client, EVENT, **STRUCTURED)
    assert (done["id"], done["duplicate"], done["woke"]) == ("e-1", False, [])
    run = await ApiUser(api_client).ended(done["started"][0])
    assert (run["workflow_id"], run["status"]) == (workflow_id, "completed")
    assert run["trigger"] == {"type": "event", "event_id": "e-1", "data": EVENT["data"]}
    assert run["input"] == EVENT["data"]
    event = run["output"]["event"]
    assert run["output"]["data"] == EVENT["data"]
    expected = {name: value for name, value in EVENT.items() if name != "data"}
    assert {name: event[name] for name in expected} == expected | {"time": "2026-03-01T11:00:00.500000Z"}


async def test_the_same_event_does_it_once_and_answers_the_same(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    first = await send(api_client, EVENT, **STRUCTURED)
    again = await send(api_client, EVENT | {"data": "other"}, **STRUCTURED)
    assert again == first | {"duplicate": True}
    other_source = await send(api_client, EVENT | {"source": "/shop2"}, **STRUCTURED)
    other_id = await send(api_client, EVENT | {"id": "e-2"}, **STRUCTURED)
    assert len({first["started"][0], other_source["started"][0], other_id["started"][0]}) == 3
    assert len((await api_client.get("/v1/runs")).json()["items"]) == 3


async def test_source_and_id_are_told_apart_whatever_colons_they_have(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    first = await send(api_client, EVENT | {"source": "urn:a", "id": "b:c"})
    second = await send(api_client, EVENT | {"source": "urn:a:b", "id": "c"})
    assert not second["duplicate"]
    assert first["started"] != second["started"]


async def test_an_event_twice_in_one_request_is_done_once(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    answer = await api_client.post("/v1/events", content=json.dumps([EVENT, EVENT]), headers=BATCH)
    first, second = answer.json()["items"]
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["started"] == second["started"]


async def test_many_events_are_answered_in_their_order(api_client: httpx.AsyncClient) -> None:
    await echo(api_client, filter={"field": "data.n", "operator": "greater_than", "value": 17})
    events = [EVENT | {"id": f"m-{n}", "data": {"n": n}} for n in reversed(range(20))]
    items = (await made(api_client, "/v1/events", events))["items"]
    assert [item["id"] for item in items] == [event["id"] for event in events]
    assert [len(item["started"]) for item in items] == [1, 1, *[0] * 18]


async def test_plain_json_needs_only_a_type(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    first = await send(api_client, {"type": "shop.order.created", "data": 5})
    second = await send(api_client, {"type": "shop.order.created", "data": 5})
    assert first["id"] != second["id"]
    run = await ApiUser(api_client).ended(first["started"][0])
    assert (run["trigger"]["event_id"], run["input"]) == (first["id"], 5)


async def test_binary_mode_takes_attributes_from_headers_and_data_from_the_body(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    headers = {
        "ce-specversion": "1.0", "ce-id": "b%201", "ce-source": "/shop", "ce-type": "shop.order.created",
        "ce-time": "2026-03-01T12:00:00Z", "ce-traceparent": "00", "Content-Type": "application/json",
    }  # fmt: skip
    answer = await api_client.post("/v1/events", content=b'{"total": 1}', headers=headers)
    done = answer.json()["items"][0]
    assert (answer.status_code, done["id"]) == (202, "b 1")
    run = await ApiUser(api_client).ended(done["started"][0])
    assert run["input"] == {"total": 1}
    assert (run["output"]["event"]["traceparent"], run["output"]["event"]["datacontenttype"]) == (
        "00",
        "application/json",
    )
    text = await api_client.post(
        "/v1/events", content="grüß", headers=headers | {"ce-id": "2", "Content-Type": "text/plain"}
    )
    run = await ApiUser(api_client).ended(text.json()["items"][0]["started"][0])
    assert run["input"] == "grüß"
    broken = await api_client.post("/v1/events", content=b"{", headers=headers | {"ce-id": "3"})
    problem(broken, 400, "malformed_json")


async def test_binary_mode_without_its_headers_is_refused(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/events", content=b"{}", headers={"ce-type": "a.b", "ce-id": "1"})
    assert paths(problem(answer, 422, "invalid_event")) == ["header.ce-source", "header.ce-specversion"]
    whole = {"ce-id": "1", "ce-source": "/s", "ce-type": "a.b", "ce-specversion": "1.0"}
    for name, value in (
        ("ce-time", "noon"),
        ("ce-time", "0001-01-01T00:00:00+14:00"),
        ("ce-specversion", "9"),
        ("ce-a_b", "x"),
        ("ce-id", "a%00"),
    ):
        answer = await api_client.post("/v1/events", content=b"{}", headers=whole | {name: value})
        problem(answer, 422, answer.json()["code"])


async def test_data_that_is_no_json_comes_in_base64(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    bare = {name: value for name, value in EVENT.items() if name != "data"}
    text = await send(api_client, bare | {"data_base64": base64.b64encode(b"hello").decode()}, **STRUCTURED)
    assert (await ApiUser(api_client).ended(text["started"][0]))["input"] == "hello"
    encoded = base64.b64encode(b"\xff\x00").decode()
    raw = await send(api_client, bare | {"id": "raw", "data_base64": encoded}, **STRUCTURED)
    assert (await ApiUser(api_client).ended(raw["started"][0]))["input"] == encoded


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"id": "x" * 300}, "id"),
        ({"subject": "ä" * 513}, "subject"),
        ({"type": ".".join("a" * 33)}, "type"),
        ({"source": None}, "source"),
        ({"source": "/" * 2000}, "source"),
        ({"type": None}, "type"),
        ({"type": {}}, "type"),
        ({"specversion": "0.3"}, "specversion"),
        ({"time": "yesterday"}, "time"),
        ({"time": 5}, "time"),
        ({"subject": ""}, "subject"),
        ({"Ext": "x"}, "Ext"),
        ({"dat": {}}, "dat"),
        ({"data_base64": "aGk="}, "data_base64"),
    ],
)
async def test_what_is_no_event_is_refused(api_client: httpx.AsyncClient, change: JsonObject, path: str) -> None:
    answer = await api_client.post("/v1/events", content=json.dumps(EVENT | change), headers=STRUCTURED)
    assert paths(problem(answer, 422, "invalid_event")) == [path]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"data": 1}, "type"),
        ({"type": "a.b", "dat": 1}, "dat"),
        ({"type": "a.b", "traceparent": "x"}, "traceparent"),
        ({"specversion": "1.0", "type": "a.b", "source": "/s"}, "id"),
        ({"type": "a.b", "data_base64": "%"}, "data_base64"),
    ],
)
async def test_plain_json_that_is_no_event_is_refused(
    api_client: httpx.AsyncClient, event: JsonObject, path: str
) -> None:
    answer = await api_client.post("/v1/events", json=event)
    assert paths(problem(answer, 422, "invalid_event")) == [path]


@pytest.mark.parametrize("body", ["5", "null", '"x"', "[]", "[5]", "[[]]"])
async def test_what_is_no_list_of_events_is_refused(api_client: httpx.AsyncClient, body: str) -> None:
    for headers in (STRUCTURED, BATCH, {"Content-Type": "application/json"}):
        problem(await api_client.post("/v1/events", content=body, headers=headers), 422, "invalid_event")


async def test_one_event_that_is_none_refuses_them_all(api_client: httpx.AsyncClient) -> None:
    await echo(api_client)
    events = [EVENT, {"type": "a.b", "colour": 1}, {"source": "/x"}]
    found = problem(await api_client.post("/v1/events", json=events), 422, "invalid_event")
    assert paths(found) == ["[1].colour", "[2].type"]
    assert not (await send(api_client, EVENT))["duplicate"]


async def test_more_than_a_thousand_events_are_refused(api_client: httpx.AsyncClient) -> None:
    events = [{"type": "a.b"}] * 1001
    assert "1001" in problem(await api_client.post("/v1/events", json=events), 422, "invalid_event")["detail"]


async def test_a_thousand_events_nobody_waits_for_are_taken(api_client: httpx.AsyncClient) -> None:
    items = (await made(api_client, "/v1/events", [{"type": "a.b", "data": n} for n in range(1000)]))["items"]
    assert len({item["id"] for item in items}) == 1000
    assert all((item["started"], item["woke"], item["duplicate"]) == ([], [], False) for item in items)


async def test_an_event_beyond_the_limit_is_refused(api_client: httpx.AsyncClient, settings: Settings) -> None:
    answer = await api_client.post("/v1/events", json=EVENT | {"data": "x" * settings.max_event_bytes})
    problem(answer, 413, "event_too_large")


async def test_other_content_types_are_refused(api_client: httpx.AsyncClient) -> None:
    for content_type in ("application/yaml", "text/plain", "application/cloudevents+xml"):
        answer = await api_client.post("/v1/events", content="type: a.b", headers={"Content-Type": content_type})
        problem(answer, 415, "unsupported_media_type")


async def test_source_and_filter_of_a_trigger_are_heeded(api_client: httpx.AsyncClient) -> None:
    await echo(api_client, source="/shop", filter={"total": {"$gt": 50}})
    assert len((await send(api_client, EVENT))["started"]) == 1
    assert (await send(api_client, EVENT | {"id": "2", "source": "/other"}))["started"] == []
    assert (await send(api_client, EVENT | {"id": "3", "data": {"total": 50}}))["started"] == []
    for strange in ({"total": "70"}, {}, [], None, "x"):
        assert (await send(api_client, EVENT | {"id": json.dumps(strange), "data": strange}))["started"] == []


async def test_a_wildcard_hears_all_below_it(api_client: httpx.AsyncClient) -> None:
    await an_active_workflow(api_client, trigger={"type": "event", "event": "shop.*"})
    for type_, heard in (("shop.order.created", 1), ("shop.x", 1), ("shop", 0), ("shopping.x", 0)):
        assert len((await send(api_client, {"type": type_}))["started"]) == heard


async def test_a_paused_workflow_hears_nothing(api_client: httpx.AsyncClient) -> None:
    workflow_id = await echo(api_client)
    await made(api_client, f"/v1/workflows/{workflow_id}/pause")
    assert (await send(api_client, EVENT))["started"] == []
    await made(api_client, f"/v1/workflows/{workflow_id}/activate")
    assert len((await send(api_client, EVENT | {"id": "2"}))["started"]) == 1


async def test_an_event_wakes_the_run_that_waits_for_it_and_no_other(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    wait = WAIT | {"match": {"field": "data.order", "operator": "equals", "value": "{{ trigger.order }}"}}
    workflow_id = await an_active_workflow(api_client, wait, output="{{ steps.paid.output.sum }}")
    path = f"/v1/workflows/{workflow_id}/runs"
    first, second = [(await made(api_client, path, {"input": {"order": order}}))["id"] for order in (1, 2)]
    for run_id in (first, second):
        await user.waits(run_id, "paid")
    done = await send(api_client, {"type": "shop.order.paid", "data": {"order": 2, "sum": 9}})
    assert (done["started"], done["woke"]) == ([], [second])
    assert (await user.ended(second))["output"] == 9
    assert (await user.get(f"/v1/runs/{first}"))["status"] == "waiting"
    assert (await send(api_client, {"type": "shop.order.paid", "data": {"order": 2}}))["woke"] == []


async def test_the_event_that_started_a_run_does_not_wake_it(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    await an_active_workflow(api_client, WAIT, trigger={"type": "event", "event": "shop.order.paid"})
    event = EVENT | {"type": "shop.order.paid"}
    first = await send(api_client, event)
    await user.waits(first["started"][0], "paid")
    again = await send(api_client, event)
    assert (again["duplicate"], again["woke"]) == (True, [])
    assert (await user.get(f"/v1/runs/{first['started'][0]}"))["status"] == "waiting"
