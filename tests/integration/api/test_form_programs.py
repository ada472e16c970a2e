"""Forms as programs meet them: JSON, keys, other websites, how many are let in, and the events that come of it."""

import asyncio
import dataclasses
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from app.catalog.events.registry import EVENTS
from app.json import Json, JsonObject
from app.services import forms
from app.services.platform import Platform
from app.store.events import find
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, client_of, made, paths, problem
from tests.integration.api.forming import FIELDS, FILLED, GREET, SAID, a_form, once, opened, runs_of
from tests.support.waiting import eventually


async def test_a_submission_is_an_event_that_others_may_ask_for_by_the_forms_name(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    form = await a_form(api_client, title="Ask")
    other = await a_workflow(
        api_client, GREET, name="Other",
        trigger={"type": "event", "event": "form.submission.received", "filter": {"form_id": form["form_id"]}},
    )  # fmt: skip
    await made(api_client, f"/v1/workflows/{other}/publish")
    answer = await made(anybody, form["path"], {"fields": SAID})
    async with platform.database.transaction(workspace.id) as session:
        source = f"/v1/workflows/{form['workflow_id']}/forms"
        [event] = await find(session, workspace.id, [(source, answer["submission_id"])])
    data: JsonObject = event.data or {}
    assert (event.type, data["form_name"], data["fields"]) == ("form.submission.received", "Ask", SAID)
    assert data["submission_id"] == answer["submission_id"]
    assert set(data) == set(EVENTS[event.type].fields), "the catalog says what it holds"
    assert answer["run_id"] in event.started
    assert len(event.started) == 2


async def test_a_program_sends_json_once_under_its_key(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    schema = (await anybody.get(f"{form['path']}/schema")).json()
    assert (schema["schema"], schema["open"], schema["form_id"]) == (FIELDS, True, "ask-us")
    topic = next(field for field in schema["fields"] if field["name"] == "topic")
    assert (topic["kind"], topic["choices"][0]) == ("radio", {"value": "sales", "label": "sales"})
    key = {"Idempotency-Key": "one"}
    first = await anybody.post(form["path"], json={"fields": SAID}, headers=key)
    assert (first.status_code, first.json()["run_id"] is None) == (202, False)
    again = await anybody.post(form["path"], json={"fields": SAID}, headers=key)
    assert again.json() == first.json()
    other = await anybody.post(form["path"], json={"fields": {**SAID, "name": "Eve"}}, headers=key)
    problem(other, 409, "idempotency_key_reused")
    assert len(await runs_of(api_client, form)) == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "places"),
    [
        ({"fields": {"email": "x", "nme": "Ada", "topic": "sales", "terms": True, "guests": "many"}}, 422,
         "invalid_submission", ["fields.nme", "fields.name", "fields.email", "fields.guests"]),
        ({"fields": {**SAID, "name": " "}}, 422, "invalid_submission", ["fields.name"]),
        ({"fields": {**SAID, "days": ["mon", "sun"]}}, 422, "invalid_submission", ["fields.days[1]"]),
        ({"name": "Ada"}, 422, "invalid_request", ["fields", "name"]),
        ({"fields": {**SAID, "message": "a\0b"}}, 422, "unstorable_text", ["fields.message"]),
    ],
)  # fmt: skip
async def test_a_program_is_told_what_does_not_fit(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, body: Json, status: int, code: str, places: list[str]
) -> None:
    form = await a_form(api_client)
    answer = await anybody.post(form["path"], json=body)
    assert sorted(paths(problem(answer, status, code))) == sorted(places)


async def test_an_address_may_send_so_many_a_minute_whatever_comes_of_them(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client, max_per_minute=2)
    other = await a_form(api_client, name="Other")
    answers = await asyncio.gather(*(anybody.post(form["path"], data=FILLED) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [303] * 2
    answer = await anybody.post(form["path"], data=FILLED)
    assert (answer.status_code, 1 <= int(answer.headers["retry-after"]) <= 30) == (429, True)
    assert "not taken" in answer.text
    found = await anybody.post(form["path"], json={"fields": SAID})
    assert problem(found, 429, "too_many_submissions")
    assert found.headers["retry-after"]
    assert (await anybody.post(other["path"], data=FILLED)).status_code == 303, "each form counts by itself"


async def test_who_sends_is_told_past_trusted_proxies_alone(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    form = await a_form(api_client, max_per_minute=1)

    async def send(client: httpx.AsyncClient, said: str) -> int:
        return (await client.post(form["path"], data=FILLED, headers={"X-Forwarded-For": said})).status_code

    trusting = dataclasses.replace(
        platform, settings=platform.settings.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)})
    )
    async with client_of(trusting, workspace) as behind:
        found = [await send(behind, said) for said in ("192.0.2.1", "192.0.2.2", "192.0.2.3, 192.0.2.2")]
    assert found == [303, 303, 429]
    assert [await send(api_client, said) for said in ("192.0.2.4", "192.0.2.5")] == [303, 429]


async def test_only_websites_the_form_names_may_send_by_script(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    ours, theirs = {"Origin": "https://www.example.com"}, {"Origin": "https://evil.example"}
    closed = await a_form(api_client)
    form = await a_form(api_client, name="Embedded", allowed_origins=[ours["Origin"]])
    named = "access-control-allow-origin"
    for one, headers in ((closed, ours), (form, theirs)):
        answer = await anybody.options(one["path"], headers=headers)
        assert (answer.status_code, named in answer.headers) == (204, False)
    answer = await anybody.options(form["path"], headers=ours)
    assert (answer.headers[named], answer.headers["vary"]) == (ours["Origin"], "Origin")
    assert "Content-Type" in answer.headers["access-control-allow-headers"]
    for body in ({"fields": SAID}, {"fields": {}}):
        answer = await anybody.post(form["path"], json=body, headers=ours)
        assert answer.headers[named] == ours["Origin"]
    page = await anybody.get(form["path"])
    assert f"frame-ancestors {ours['Origin']}" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers


async def test_nobody_lists_another_workspaces_forms(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, platform: Platform
) -> None:
    from app.services.workspaces import create_workspace  # noqa: PLC0415

    form = await a_form(api_client)
    _, key = await create_workspace(platform, "Other")
    answer = await anybody.get(f"/v1/workflows/{form['workflow_id']}/forms", headers={"Authorization": f"Bearer {key}"})
    problem(answer, 404, "workflow_not_found")


async def test_who_sent_is_kept_as_a_digest_and_not_for_long(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    from app.services.purging import purge  # noqa: PLC0415

    form = await a_form(api_client)
    await anybody.post(form["path"], data=FILLED)
    async with platform.database.transaction(workspace.id) as session:
        [sender] = (await session.scalars(text("SELECT sender FROM form_senders"))).all()
        assert "127.0.0.1" not in sender
        await session.execute(text("UPDATE form_senders SET free_at = now() - interval '2 hours'"))
    await purge(platform, workspace.id)

    async def gone() -> bool:
        async with platform.database.transaction(workspace.id) as session:
            return (await session.scalars(text("SELECT sender FROM form_senders"))).all() == []

    await eventually(gone, what="the senders to be forgotten")


async def test_what_fills_in_the_trap_does_not_stand_for_what_a_person_sends_after_it(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    key = {"Idempotency-Key": "one"}
    body: JsonObject = {"fields": SAID, "contact_me_by_fax": "yes"}
    trapped = [(await made(anybody, form["path"], body, headers=key))["submission_id"] for _ in range(2)]
    assert trapped[0] == trapped[1]
    assert (await made(anybody, form["path"], {"fields": SAID}, headers=key))["run_id"] is not None
    sent = {**once(await opened(anybody, form)), **FILLED}
    await anybody.post(form["path"], data={**sent, "contact_me_by_fax": "yes"})
    await anybody.post(form["path"], data=sent)
    assert len(await runs_of(api_client, form)) == 2


@pytest.mark.usefixtures("worker")
async def test_what_a_run_says_is_not_read_by_who_knows_the_key(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    says = {"id": "say", "type": "respond", "body": "Your code is {{ trigger.name }}"}
    trigger = {"type": "form", "fields": FIELDS, "respond": "by_step", "thank_you": "Thanks."}
    workflow_id = await a_workflow(api_client, says, trigger=trigger)
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    [form] = (await api_client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
    path = urlsplit(form["address"]).path
    answer = await anybody.post(path, json={"fields": SAID}, headers={"Idempotency-Key": "1042"})
    assert answer.text == "Your code is Ada"
    [event] = (await api_client.get("/v1/events?type=form.*")).json()["items"]
    read = await anybody.get(f"{path}/thanks?submission={event['id']}")
    assert ("Thanks." in read.text, "Your code" in read.text) == (True, False)


async def test_a_submission_is_its_forms_wherever_the_next_version_has_the_trigger(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    def form(name: str) -> JsonObject:
        return {"type": "form", "form_id": name, "fields": {"type": "object", "properties": {name: {"type": "string"}}}}

    workflow_id = await a_workflow(
        api_client, {"id": "one", "type": "transform", "mapping": {"a": 1}}, triggers=[form("first"), form("second")]
    )  # fmt: skip
    path = f"/v1/workflows/{workflow_id}"
    await made(api_client, f"{path}/publish")
    address = urlsplit((await api_client.get(f"{path}/forms")).json()["items"][0]["address"]).path
    body, key = {"fields": {"first": "x"}}, {"Idempotency-Key": "one"}
    before = await made(anybody, address, body, headers=key)
    await made(api_client, f"{path}/pause")
    draft = (await api_client.get(path)).json()["draft"]
    await api_client.patch(path, json={"definition": {**draft, "triggers": draft["triggers"][::-1]}})
    await made(api_client, f"{path}/publish")
    assert await made(anybody, address, body, headers=key) == before
    await made(api_client, f"/v1/events/{before['submission_id']}/replay")
    runs = (await api_client.get(f"/v1/runs?workflow_id={workflow_id}")).json()["items"]
    assert [(run["version"], run["trigger"]["data"]) for run in runs] == [(2, {"first": "x"}), (1, {"first": "x"})]
    assert await made(api_client, f"/v1/events/{before['submission_id']}/replay", {"workflow_id": workflow_id})


@pytest.mark.usefixtures("worker")
async def test_who_asks_again_later_does_not_wait_again(
    api_client: httpx.AsyncClient,
    anybody: httpx.AsyncClient,
    platform: Platform,
    workspace: TestWorkspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forms, "ANSWER_SECONDS", 0.5)
    steps = [{"id": "rest", "type": "delay", "duration": "1d"}, {"id": "say", "type": "respond", "body": "Hello"}]
    trigger = {"type": "form", "fields": FIELDS, "respond": "by_step", "thank_you": "Thanks."}
    workflow_id = await a_workflow(api_client, *steps, trigger=trigger)
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    [form] = (await api_client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
    path = urlsplit(form["address"]).path
    sent = await anybody.post(path, data=FILLED)
    thanks = httpx.URL(f"http://holdfast.test{path}").join(sent.headers["location"])
    assert "Thanks." in (await anybody.get(thanks)).text
    monkeypatch.setattr(forms, "ANSWER_SECONDS", 60.0)
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(text("UPDATE runs SET created_at = created_at - interval '1 hour'"))
    async with asyncio.timeout(20):
        assert "Thanks." in (await anybody.get(thanks)).text
