"""Forms as anybody meets them: the page, sending it once, what is wrong beside each field, and what is not let in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.json import Json, JsonObject
from app.services import events
from app.services.platform import Platform
from app.store.events import find
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, made, paths, problem
from tests.support.api_user import ApiUser
from tests.support.pages import Page, assert_accessible, page_of
from tests.support.waiting import eventually

FIELDS: JsonObject = {
    "type": "object",
    "required": ["name", "email", "topic", "terms"],
    "properties": {
        "name": {"type": "string", "title": "Your <name>", "maxLength": 20},
        "email": {"type": "string", "format": "email", "description": "We answer there."},
        "guests": {"type": "integer", "minimum": 1, "default": 2},
        "topic": {"enum": ["sales", "support"], "format": "radio"},
        "days": {"type": "array", "items": {"enum": ["mon", "tue", "wed"]}, "title": "Days"},
        "message": {"type": "string", "format": "textarea"},
        "terms": {"type": "boolean", "const": True, "title": "I agree"},
    },
}
FILLED = {
    "field.name": "Ada",
    "field.email": " ada@example.com ",
    "field.guests": "3",
    "field.topic": "1",
    "field.days": ["0", "2"],
    "field.message": "Hello\r\nthere",
    "field.terms": "true",
}
SAID = {
    "name": "Ada",
    "email": "ada@example.com",
    "guests": 3,
    "topic": "support",
    "days": ["mon", "wed"],
    "message": "Hello\nthere",
    "terms": True,
}
GREET: JsonObject = {"id": "greet", "type": "transform", "mapping": {"who": "{{ trigger.name }}"}}


@pytest.fixture
async def anybody(api_app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a key."""
    transport = httpx.ASGITransport(app=api_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
        yield client


async def a_form(client: httpx.AsyncClient, *, fields: Json = FIELDS, name: str = "Ask us", **more: Json) -> JsonObject:
    """A published form, as the API lists it, with its `path` and `workflow_id`."""
    trigger = {"type": "form", "fields": fields, **more}
    workflow_id = await a_workflow(
        client, GREET, name=name, trigger=trigger, output={"given": "{{ trigger }}", "form": "{{ event.type }}"}
    )
    await made(client, f"/v1/workflows/{workflow_id}/publish")
    [form] = (await client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
    return {**form, "path": urlsplit(form["address"]).path, "workflow_id": workflow_id}


async def opened(browser: httpx.AsyncClient, form: JsonObject) -> Page:
    answer = await browser.get(form["path"])
    assert answer.status_code == 200, answer.text
    return page_of(answer.text)


def once(page: Page) -> dict[str, str]:
    """What the page sends along without being asked."""
    return {tag["name"]: tag["value"] for tag in page.all("input", type="hidden")}


async def runs_of(client: httpx.AsyncClient, form: JsonObject) -> list[JsonObject]:
    found: list[JsonObject] = (await client.get(f"/v1/runs?workflow_id={form['workflow_id']}")).json()["items"]
    return found


async def test_the_page_asks_for_every_field_in_words_all_can_use(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client, title="Ask <us>", description="a & b", submit_label="Go", language="de")
    answer = await anybody.get(form["path"])
    page = page_of(answer.text)
    assert_accessible(page)
    assert "<script" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert (page.one("html")["lang"], page.one("h1").text, page.one("button").text) == ("de", "Ask <us>", "Go")
    kinds = {tag["name"]: tag.attributes.get("type", tag.name) for tag in page.inputs() if "field" in tag["name"]}
    assert kinds == {
        "field.name": "text",
        "field.email": "email",
        "field.guests": "number",
        "field.topic": "radio",
        "field.days": "checkbox",
        "field.message": "textarea",
        "field.terms": "checkbox",
    }
    mail = page.one(name="field.email")
    assert mail["autocomplete"] == "email"
    assert page.text(mail["aria-describedby"]) == "We answer there."
    assert page.one(name="field.guests")["value"] == "2"
    assert "required" in page.one(name="field.terms").attributes


@pytest.mark.usefixtures("worker")
async def test_what_is_sent_starts_a_run_once_however_often_it_is_sent(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client, form_id="ask", thank_you="We will write.")
    sent = {**once(await opened(anybody, form)), **FILLED}
    answers = await asyncio.gather(*(anybody.post(form["path"], data=sent) for _ in range(3)))
    for answer in answers:
        assert answer.status_code == 303, answer.text
        thanks = await anybody.get(httpx.URL(f"http://holdfast.test{form['path']}").join(answer.headers["location"]))
        assert (thanks.status_code, page_of(thanks.text).one(role="status").text) == (200, "We will write.")
    [run] = await runs_of(api_client, form)
    run = await ApiUser(api_client).ended(run["id"])
    assert (run["status"], run["trigger"]["type"]) == ("completed", "form")
    assert run["output"] == {"given": SAID, "form": "form.submission.received"}
    await anybody.post(form["path"], data={**sent, "field.name": "Grace"})
    assert len(await runs_of(api_client, form)) == 2, "what was changed before it was sent again is another submission"


@pytest.mark.usefixtures("worker")
async def test_a_step_may_say_what_people_read(api_client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    says = {"id": "say", "type": "respond", "status": 201, "body": "Hello {{ trigger.name }} <you>"}
    trigger = {"type": "form", "fields": FIELDS, "respond": "by_step", "thank_you": "Thanks."}
    workflow_id = await a_workflow(api_client, says, trigger=trigger)
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    [form] = (await api_client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
    path = urlsplit(form["address"]).path
    sent = await anybody.post(path, data=FILLED)
    read = await anybody.get(httpx.URL(f"http://holdfast.test{path}").join(sent.headers["location"]))
    assert page_of(read.text).one(role="status").text == "Hello Ada <you>"
    for other in ("", "?submission=x", "?submission=01890000-0000-7000-8000-000000000000"):
        assert page_of((await anybody.get(f"{path}/thanks{other}")).text).one(role="status").text == "Thanks."
    answer = await anybody.post(path, json={"fields": {**SAID, "name": "Eve"}})
    assert (answer.status_code, answer.text) == (201, "Hello Eve <you>")


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
        source = f"/v1/workflows/{form['workflow_id']}/triggers/0"
        [event] = await find(session, workspace.id, [(source, answer["submission_id"])])
    data: JsonObject = event.data or {}
    assert (event.type, data["form_name"], data["fields"]) == ("form.submission.received", "Ask", SAID)
    assert data["submission_id"] == answer["submission_id"]
    assert answer["run_id"] in event.started
    assert len(event.started) == 2


async def test_what_is_wrong_stands_beside_each_field_and_nothing_typed_is_lost(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    sent = {**once(await opened(anybody, form)), "field.name": "A" * 21, "field.email": "ada", "field.guests": "0"}
    answer = await anybody.post(form["path"], data={**sent, "field.days": ["1", "2"], "field.message": "<kept>"})
    page = page_of(answer.text)
    assert answer.status_code == 422
    assert_accessible(page)
    assert page.one("title").text.startswith("Error: ")
    assert once(page) == {"submission": sent["submission"]}
    problems = {link["href"]: link.text for link in page.all("a")}
    assert problems == {
        "#field-0": "Your <name>: takes at most 20 characters",
        "#field-1": "email: is no e-mail address",
        "#field-2": "guests: takes 1 or more",
        "#field-3": "topic: is required",
        "#field-6": "I agree: must be ticked",
    }
    assert page.one(name="field.email")["value"] == "ada"
    assert page.one("textarea").text.strip() == "<kept>"
    assert [tag["value"] for tag in page.all(name="field.days") if "checked" in tag.attributes] == ["1", "2"]
    assert await runs_of(api_client, form) == []


async def test_what_fills_in_the_trap_is_thanked_and_starts_nothing(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    form = await a_form(api_client)
    page = await opened(anybody, form)
    [trap] = [tag for tag in page.inputs() if tag.attributes.get("tabindex") == "-1"]
    answer = await anybody.post(form["path"], data={**once(page), **FILLED, trap["name"]: "yes"})
    assert (answer.status_code, "/thanks?" in answer.headers["location"]) == (303, True)
    answer = await made(anybody, form["path"], {"fields": SAID, trap["name"]: "yes"})
    assert answer["run_id"] is None
    assert await runs_of(api_client, form) == []
    async with platform.database.transaction(workspace.id) as session:
        source = f"/v1/workflows/{form['workflow_id']}/triggers/0"
        [event] = await find(session, workspace.id, [(source, answer["submission_id"])])
    assert (event.type, (event.data or {})["reason"]) == ("form.submission.spam_detected", "honeypot")


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
    form = await a_form(api_client, max_per_minute=3)
    other = await a_form(api_client, name="Other")
    answers = await asyncio.gather(*(anybody.post(form["path"], data=FILLED) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [303] * 3
    answer = await anybody.post(form["path"], data=FILLED)
    assert (answer.status_code, 1 <= int(answer.headers["retry-after"]) <= 20) == (429, True)
    assert "not taken" in answer.text
    found = await anybody.post(form["path"], json={"fields": SAID})
    assert problem(found, 429, "too_many_submissions")
    assert found.headers["retry-after"]
    assert (await anybody.post(other["path"], data=FILLED)).status_code == 303, "each form counts by itself"


async def test_a_form_whose_workflow_rests_says_so_and_keeps_its_address(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    await made(api_client, f"/v1/workflows/{form['workflow_id']}/pause")
    for answer in (await anybody.get(form["path"]), await anybody.post(form["path"], data=FILLED)):
        assert (answer.status_code, "closed" in answer.text, "Ask us" in answer.text) == (410, True, True)
    problem(await anybody.post(form["path"], json={"fields": SAID}), 410, "form_closed")
    [listed] = (await api_client.get(f"/v1/workflows/{form['workflow_id']}/forms")).json()["items"]
    assert (listed["active"], listed["address"]) == (False, form["address"])
    await made(api_client, f"/v1/workflows/{form['workflow_id']}/activate")
    assert (await anybody.get(form["path"])).status_code == 200


async def test_an_address_goes_with_the_forms_name_and_not_with_its_place(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    one, two = ({"type": "form", "fields": FIELDS, "form_id": id_, "title": id_} for id_ in ("one", "two"))
    workflow_id = await a_workflow(api_client, GREET, triggers=[one, two])
    addresses = {}
    for triggers in ([one, two], [two, {"type": "manual"}, one]):
        await made(api_client, f"/v1/workflows/{workflow_id}/publish")
        await made(api_client, f"/v1/workflows/{workflow_id}/pause")
        draft = {"definition": {"steps": [GREET], "triggers": triggers}}
        assert (await api_client.patch(f"/v1/workflows/{workflow_id}", json=draft)).is_success
        await made(api_client, f"/v1/workflows/{workflow_id}/publish")
        items = (await api_client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
        found = {item["form_id"]: item["address"] for item in items}
        assert found == (addresses or found)
        addresses = found
    answer = await made(anybody, urlsplit(addresses["one"]).path, {"fields": SAID})
    assert answer["run_id"]


async def test_an_address_that_leads_nowhere_is_answered_alike_whatever_is_wrong_with_it(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    token = form["path"].rpartition("/")[2]
    broken = ["x", token[:-1], token + "A", "A" * len(token), token.swapcase(), token[:-2] + "==", "é", "%00"]
    pages = [await anybody.get(f"/forms/{each}") for each in broken]
    assert {(page.status_code, page.text) for page in pages} == {(404, pages[0].text)}
    for each in broken[:3]:
        problem(await anybody.post(f"/forms/{each}", json={}), 404, "form_not_found")
        problem(await anybody.get(f"/forms/{each}/schema"), 404, "form_not_found")
        assert (await anybody.get(f"/forms/{each}/thanks")).status_code == 404
    await made(api_client, f"/v1/workflows/{form['workflow_id']}/archive")
    assert (await api_client.delete(f"/v1/workflows/{form['workflow_id']}")).is_success
    assert (await anybody.get(form["path"])).status_code == 404


async def test_what_cannot_be_read_or_is_too_much_is_said_in_plain_words(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    fields = {"type": "object", "properties": {"text": {"type": "string"}}}
    form = await a_form(api_client, fields=fields)
    much = await anybody.post(form["path"], data={"field.text": "x" * 600_000})
    assert (much.status_code, "send less" in much.text) == (413, True)
    much = await anybody.post(form["path"], content=b"x" * 5_000_000, headers={"content-type": "text/plain"})
    assert much.status_code in (413, 415)
    multipart = await anybody.post(form["path"], files={"field.text": b"x"})
    assert (multipart.status_code, "Nothing was taken" in multipart.text) == (415, True)
    broken = {"content-type": "application/x-www-form-urlencoded"}
    assert (await anybody.post(form["path"], content=b"field.text=%ff", headers=broken)).status_code == 400
    problem(
        await anybody.post(form["path"], content=b"{", headers={"content-type": "application/json"}),
        400,
        "malformed_json",
    )
    assert await runs_of(api_client, form) == []


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


async def test_people_are_led_on_where_the_form_says(api_client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    theme = {"color": "#ffdd00", "background": "#102030", "font": "serif", "logo_url": "https://cdn.example.com/l.png"}
    form = await a_form(api_client, redirect_to="https://www.example.com/thanks?x=1", theme=theme)
    page = await anybody.get(form["path"])
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://www.example.com;" in policy
    assert "img-src https://cdn.example.com" in policy
    assert "background: #102030" in page.text
    answer = await anybody.post(form["path"], data=FILLED)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://www.example.com/thanks?x=1")


async def test_without_a_database_people_are_told_to_send_again(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services.errors import Unavailable  # noqa: PLC0415

    form = await a_form(api_client)

    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    monkeypatch.setattr(events, "ingest", away)
    answer = await anybody.post(form["path"], data=FILLED)
    assert (answer.status_code, "send it again" in answer.text, answer.headers["retry-after"]) == (503, True, "5")


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
    from sqlalchemy import text  # noqa: PLC0415

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
