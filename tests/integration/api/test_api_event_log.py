"""The log of events: found by what they are and what they did, seen with their runs, and replayed."""

from urllib.parse import quote

import httpx
import pytest

from app.db.models import Event
from app.json import Json, JsonObject
from app.services import event_log, events
from app.services.event_log import EventFilter
from app.services.platform import Platform
from app.store import event_log as store
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, made, paths, problem
from tests.support.api_user import ApiUser
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

ORDER: JsonObject = {
    "specversion": "1.0",
    "id": "o-1",
    "source": "/shop",
    "type": "shop.order.created",
    "subject": "order/7",
    "time": "2026-03-01T11:00:00Z",
    "data": {"total": 70},
}


async def send(client: httpx.AsyncClient, *changes: JsonObject) -> list[JsonObject]:
    items: list[JsonObject] = (await made(client, "/v1/events", [ORDER | change for change in changes]))["items"]
    return items


async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/v1/events?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def echo(client: httpx.AsyncClient, **trigger: Json) -> str:
    return await an_active_workflow(
        client, trigger={"type": "event", "event": ORDER["type"]} | trigger, output="{{ event }}"
    )


async def test_the_log_has_what_came_newest_first(api_client: httpx.AsyncClient) -> None:
    workflow_id = await echo(api_client)
    [done, _] = await send(api_client, {}, {"id": "o-2", "type": "shop.order.paid", "subject": None})
    answer = (await api_client.get("/v1/events")).json()
    paid, created = answer["items"]
    assert (paid["id"], paid["subject"], answer["next_cursor"]) == ("o-2", None, None)
    kept = {name: created[name] for name in ("id", "source", "type", "subject", "time")}
    assert kept == {name: ORDER[name] for name in kept}
    assert (created["started"], created["started_count"], created["woke"]) == (done["started"], 1, [])
    assert created["received_at"] <= created["dispatched_at"]
    assert created["caused_by"] is None
    assert "data" not in created
    seen = (await api_client.get("/v1/events/o-1")).json()
    assert seen["data"] == ORDER["data"]
    [run] = seen["runs"]
    assert (run["id"], run["workflow_id"], run["effect"]) == (done["started"][0], workflow_id, "started")


async def test_data_comes_along_when_it_is_asked_for(api_client: httpx.AsyncClient) -> None:
    await send(api_client, {}, {"id": "o-2", "data": None})
    items = (await api_client.get("/v1/events?include=data")).json()["items"]
    assert [item["data"] for item in items] == [None, ORDER["data"]]
    assert paths(problem(await api_client.get("/v1/events?include=all"), 422, "invalid_request")) == ["query.include"]


async def test_the_log_is_filtered(api_client: httpx.AsyncClient) -> None:
    await send(
        api_client,
        {"id": "a"},
        {"id": "b", "type": "shop.order.paid"},
        {"id": "c", "type": "shop.cart.left", "source": "/till", "data": {"who": "Ada_Lovelace"}},
        {"id": "d", "type": "shopping", "subject": "order/8"},
    )
    assert await listed(api_client, "type=shop.order.paid") == ["b"]
    assert await listed(api_client, "type=shop.order.*") == ["b", "a"]
    assert await listed(api_client, "type=shop.*") == ["c", "b", "a"]
    assert await listed(api_client, "type=shop*&source=/shop") == ["d", "b", "a"]
    assert await listed(api_client, "type=*") == ["d", "c", "b", "a"]
    assert await listed(api_client, "type=crm.*") == []
    assert await listed(api_client, "source=/till") == ["c"]
    assert await listed(api_client, "subject=order/8") == ["d"]
    assert await listed(api_client, "q=ADA_love") == ["c"]
    assert await listed(api_client, "q=ada%25love") == []
    assert await listed(api_client, "q=order/&type=shop.*") == ["c", "b", "a"]
    assert await listed(api_client, "dispatched=true&limit=1") == ["d"]
    assert await listed(api_client, "dispatched=false") == []
    at = (await api_client.get("/v1/events/b")).json()["received_at"]
    assert await listed(api_client, f"received_after={at}") == ["d", "c", "b"]
    assert await listed(api_client, f"received_before={at}") == ["a"]
    answer = await api_client.get("/v1/events?type=shop.*.paid")
    assert paths(problem(answer, 422, "invalid_request")) == ["query.type"]
    for query in ("colour=red", "received_after=noon", "received_after=2026-01-01T00:00:00", "caused_by=me"):
        problem(await api_client.get(f"/v1/events?{query}"), 422, "invalid_request")


@pytest.mark.parametrize("query", ["", "type=shop.*", "type=shop.order.created", "source=/shop", "q=shop"])
async def test_pages_follow_each_other_without_gap_or_repeat(
    api_client: httpx.AsyncClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOKED_AT", 4)
    types = ("shop.order.created", "shop.order.paid")
    sent = [{"id": f"e-{n:02}", "type": types[0 if "created" in query else n % 2]} for n in range(11)]
    await send(api_client, *sent)
    found, cursor = [], ""
    while True:
        page = (await api_client.get(f"/v1/events?limit=3&{query}{cursor}")).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [each["id"] for each in reversed(sent)]
    for wrong in ("x", "WzFd", "WyIyMDI2LTAxLTAxIiwgImEiLCAiYiJd"):
        problem(await api_client.get(f"/v1/events?cursor={wrong}"), 422, "invalid_cursor")


async def test_an_event_that_did_very_much_is_listed_with_a_hundred_ids_and_how_many_there_are(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    woke = [f"0198b0c7-0000-7000-8000-{n:012}" for n in range(150)]
    async with platform.database.transaction(workspace.id) as session:
        row = {name: value for name, value in ORDER.items() if name not in ("specversion", "time")}
        session.add(Event(workspace_id=workspace.id, time=None, extensions={}, woke=woke, **row))
    [item] = (await api_client.get("/v1/events")).json()["items"]
    assert (item["woke"], item["woke_count"]) == (woke[:100], 150)
    seen = (await api_client.get("/v1/events/o-1")).json()
    # None of these runs is there any more.
    assert (len(seen["woke"]), seen["woke_count"], seen["runs"]) == (150, 150, [])


async def test_a_cursor_names_an_event_with_a_long_name(api_client: httpx.AsyncClient) -> None:
    long = [{"id": f"{n}" + "ü" * 120, "source": f"/{n}" + "ö" * 500} for n in range(3)]
    await send(api_client, *long)
    first = (await api_client.get("/v1/events?limit=2")).json()
    second = await listed(api_client, f"limit=2&cursor={first['next_cursor']}")
    assert second == [long[0]["id"]]


async def test_a_search_looks_through_so_many_and_says_where_it_stopped(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOKED_AT", 5)
    await send(api_client, {"id": "needle"}, *({"id": f"hay-{n}"} for n in range(7)))
    first = (await api_client.get("/v1/events?q=needle")).json()
    assert first["items"] == []
    second = (await api_client.get(f"/v1/events?q=needle&cursor={first['next_cursor']}")).json()
    assert [item["id"] for item in second["items"]] == ["needle"]
    assert second["next_cursor"] is None


async def test_very_many_types_do_not_hide_those_a_wildcard_means(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MANY_TYPES", 3)
    await send(api_client, *({"id": f"e-{n}", "type": f"shop.t_{n}.made"} for n in range(6)))
    assert await listed(api_client, "type=shop.t_%2A") == [f"e-{n}" for n in reversed(range(6))]
    assert await listed(api_client, "type=shop.t_4%2A") == ["e-4"]


async def test_an_event_tells_which_wait_took_it(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    workflow_id = await an_active_workflow(api_client, {"id": "each", "type": "loop", "items": [1], "steps": [WAIT]})
    run_id = (await made(api_client, f"/v1/workflows/{workflow_id}/runs"))["id"]
    await user.waits(run_id, "each[0].paid")
    [sent] = await send(api_client, {"id": "p", "type": "shop.order.paid"})
    assert sent["woke"] == [run_id]
    await user.ended(run_id)
    seen = await user.get("/v1/events/p")
    [run] = seen["runs"]
    assert (run["id"], run["effect"], run["step_paths"]) == (run_id, "woke", ["each[0].paid"])
    assert (run["status"], seen["woke_count"]) == ("completed", 1)


async def test_an_event_an_action_caused_is_found_by_its_run(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    run_id = "0198b0c7-0000-7000-8000-000000000001"
    caused = {"run_id": run_id, "step_path": "each[3].tell", "depth": 2}
    async with platform.database.transaction(workspace.id) as session:
        row = {name: value for name, value in ORDER.items() if name not in ("specversion", "time")}
        session.add(Event(workspace_id=workspace.id, time=None, extensions={}, caused_by=caused, **row))
    assert await listed(api_client, f"caused_by={run_id}") == ["o-1"]
    assert await listed(api_client, "caused_by=0198b0c7-0000-7000-8000-000000000002") == []
    assert (await api_client.get("/v1/events/o-1")).json()["caused_by"] == caused
    assert await listed(api_client, "dispatched=false") == ["o-1"]


@pytest.mark.parametrize("id", ["urn:shop/7", "/7", "a b?c#d%2F", "7/replay", "ümläut"])
async def test_an_id_may_be_any_text(api_client: httpx.AsyncClient, id: str) -> None:
    await echo(api_client)
    await send(api_client, {"id": id})
    address = f"/v1/events/{quote(id, safe='')}"
    assert (await api_client.get(address)).json()["id"] == id
    done = await made(api_client, f"{address}/replay")
    assert done["event"]["extensions"] == {"replayof": id}


async def test_an_id_of_several_sources_is_asked_about(api_client: httpx.AsyncClient) -> None:
    await send(api_client, {}, {"source": "/till"})
    found = problem(await api_client.get("/v1/events/o-1"), 409, "which_event")
    assert "(/shop, /till)" in found["detail"]
    problem(await api_client.post("/v1/events/o-1/replay"), 409, "which_event")
    assert (await api_client.get("/v1/events/o-1?source=/till")).json()["source"] == "/till"
    problem(await api_client.get("/v1/events/o-1?source=/moon"), 404, "event_not_found")
    problem(await api_client.get("/v1/events/nothing"), 404, "event_not_found")
    problem(await api_client.post("/v1/events/nothing/replay"), 404, "event_not_found")


async def test_another_workspaces_events_are_not_there(api_client: httpx.AsyncClient, platform: Platform) -> None:
    from app.services.workspaces import create_workspace  # noqa: PLC0415

    other, _ = await create_workspace(platform, "Other")
    await events.ingest(platform, other.workspace_id, [ORDER])
    assert await listed(api_client) == []
    problem(await api_client.get("/v1/events/o-1"), 404, "event_not_found")


async def test_a_replay_does_it_once_more_as_a_new_event(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    await echo(api_client)
    [first] = await send(api_client, {"traceparent": "00-ab"})
    done = await made(api_client, "/v1/events/o-1/replay")
    [item], event = done["items"], done["event"]
    assert item["duplicate"] is False
    assert len(item["started"]) == 1
    assert item["started"] != first["started"]
    same = {name: event[name] for name in ("source", "type", "subject", "time", "data")}
    assert same == {name: ORDER[name] for name in same}
    assert event["id"] == item["id"] != "o-1"
    assert event["extensions"] == {"traceparent": "00-ab", "replayof": "o-1"}
    assert [run["id"] for run in event["runs"]] == item["started"]
    run = await user.ended(item["started"][0])
    assert (run["trigger"]["event_id"], run["output"]["replayof"]) == (event["id"], "o-1")


async def test_a_replay_asked_twice_under_one_key_is_one(api_client: httpx.AsyncClient) -> None:
    workflow_id = await echo(api_client)
    await send(api_client, {}, {"id": "o-2"})
    key = {"Idempotency-Key": "again-1"}
    first = await made(api_client, "/v1/events/o-1/replay", headers=key)
    await made(api_client, f"/v1/workflows/{workflow_id}/pause")
    second = await made(api_client, "/v1/events/o-1/replay", headers=key)
    assert second["items"] == [first["items"][0] | {"duplicate": True}]
    assert second["event"]["id"] == first["event"]["id"]
    other_event = await made(api_client, "/v1/events/o-2/replay", headers=key)
    other_key = await made(api_client, "/v1/events/o-1/replay", headers={"Idempotency-Key": "again-2"})
    assert len({done["event"]["id"] for done in (first, other_event, other_key)}) == 3
    answer = await api_client.post("/v1/events/o-1/replay", json={"workflow_id": workflow_id}, headers=key)
    problem(answer, 409, "idempotency_key_reused")


async def test_a_replay_for_one_workflow_starts_it_alone_and_wakes_nobody(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    wanted, other = await echo(api_client), await echo(api_client)
    waiting = await an_active_workflow(api_client, WAIT | {"event": ORDER["type"], "since": "run_start"})
    late = await an_active_workflow(
        api_client,
        {"id": "later", "type": "wait_for_event", "event": "shop.go", "timeout": "1h"},
        WAIT | {"event": ORDER["type"], "since": "run_start"},
    )
    run_id = (await made(api_client, f"/v1/workflows/{waiting}/runs"))["id"]
    late_id = (await made(api_client, f"/v1/workflows/{late}/runs"))["id"]
    [first] = await send(api_client, {"source": "/before"})
    assert len(first["started"]) == 2
    await user.waits(late_id, "later")
    again = (await made(api_client, f"/v1/workflows/{waiting}/runs"))["id"]
    await user.waits(again, "paid")
    done = await made(api_client, "/v1/events/o-1/replay", {"workflow_id": wanted})
    [item] = done["items"]
    assert (len(item["started"]), item["woke"]) == (1, [])
    assert [run["workflow_id"] for run in done["event"]["runs"]] == [wanted]
    assert done["event"]["only_workflow_id"] == wanted != other
    assert (await user.get(f"/v1/runs/{again}"))["status"] == "waiting"
    assert run_id != again


async def test_a_wait_that_begins_later_does_not_find_a_replay_for_one_workflow(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    wanted = await echo(api_client)
    await send(api_client, {})
    late = await an_active_workflow(
        api_client,
        {"id": "go", "type": "wait_for_event", "event": "shop.go", "timeout": "1h"},
        WAIT | {"event": ORDER["type"], "since": "run_start"},
    )
    run_id = (await made(api_client, f"/v1/workflows/{late}/runs"))["id"]
    await user.waits(run_id, "go")
    await made(api_client, "/v1/events/o-1/replay", {"workflow_id": wanted})
    await send(api_client, {"id": "go", "type": "shop.go"})
    await user.waits(run_id, "paid")
    assert (await user.get(f"/v1/runs/{run_id}"))["status"] == "waiting"
    whole = await made(api_client, "/v1/events/o-1/replay")
    assert whole["items"][0]["woke"] == [run_id]
    assert (await user.ended(run_id))["status"] == "completed"


async def test_a_replay_for_a_workflow_that_would_not_take_it_is_refused(api_client: httpx.AsyncClient) -> None:
    await send(api_client, {})
    picky = await echo(api_client, filter={"total": {"$gt": 100}})
    deaf = await an_active_workflow(api_client, SET_ONE)
    address = "/v1/events/o-1/replay"
    for workflow_id in (picky, deaf):
        answer = await api_client.post(address, json={"workflow_id": workflow_id})
        problem(answer, 409, "event_not_for_workflow")
    await made(api_client, f"/v1/workflows/{picky}/pause")
    problem(await api_client.post(address, json={"workflow_id": picky}), 409, "workflow_not_active")
    unknown = "0198b0c7-0000-7000-8000-000000000001"
    problem(await api_client.post(address, json={"workflow_id": unknown}), 404, "workflow_not_found")
    for body in ({"workflow_id": 7}, {"workflow": picky}):
        problem(await api_client.post(address, json=body), 422, "invalid_request")
    assert await listed(api_client) == ["o-1"]


async def test_the_sweep_keeps_to_the_workflow_a_replay_is_for(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    from datetime import timedelta  # noqa: PLC0415
    from uuid import UUID  # noqa: PLC0415

    wanted, _other = await echo(api_client), await echo(api_client)
    async with platform.database.transaction(workspace.id) as session:
        row = {name: value for name, value in ORDER.items() if name not in ("specversion", "time")}
        session.add(Event(workspace_id=workspace.id, time=None, extensions={}, only_workflow=UUID(wanted), **row))

    async def swept() -> bool:
        return await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta()) == 1

    await eventually(swept, what="the event is dispatched")
    seen = await event_log.get(platform, workspace.id, "o-1")
    assert [str(did.run.workflow_id) for did in seen.runs] == [wanted]
    page = await event_log.list_(platform, workspace.id, EventFilter(dispatched=True))
    assert [event.started_count for event in page.items] == [1]
