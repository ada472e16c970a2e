"""Forms as people meet them: the page, sending it once, what is wrong beside each field, why nothing can be sent."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest

from app.catalog.events.registry import EVENTS
from app.services import events
from app.services.platform import Platform
from app.store.events import find
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, made, problem
from tests.integration.api.forming import FIELDS, FILLED, GREET, SAID, a_form, once, opened, runs_of
from tests.support.api_user import ApiUser
from tests.support.pages import assert_accessible, page_of


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


async def test_an_address_fills_in_fields_and_agrees_to_nothing(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    form = await a_form(api_client)
    query = (
        "name=%3Cb%3E%22Ada&email=%00&guests=3&topic=support&topic=none&days=mon&days=wed&terms=true&utm=x&message=Hi"
    )
    page = page_of((await anybody.get(f"{form['path']}?{query}&topic=support")).text)
    values = {tag["name"]: tag["value"] for tag in page.all("input", type="text") if tag["name"].startswith("field.")}
    assert values["field.name"] == '<b>"Ada'
    assert page.one("input", name="field.email")["value"] == ""
    assert page.one("input", name="field.guests")["value"] == "3"
    assert page.one("textarea").text.strip() == "Hi"
    chosen = [(tag["name"], tag["value"]) for tag in page.all("input") if "checked" in tag.attributes]
    assert chosen == [("field.topic", "1"), ("field.days", "0"), ("field.days", "2")]


async def test_what_is_wrong_stands_beside_each_field_and_nothing_typed_is_lost(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.routes.form_pages")
    form = await a_form(api_client)
    sent = {**once(await opened(anybody, form)), "field.name": "A" * 21, "field.email": "ada", "field.guests": "0"}
    answer = await anybody.post(form["path"], data={**sent, "field.days": ["1", "2"], "field.message": "<kept>"})
    page = page_of(answer.text)
    assert answer.status_code == 422
    assert "is shown again: ['" in caplog.text
    assert "<kept>" not in caplog.text
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
        source = f"/v1/workflows/{form['workflow_id']}/forms"
        [event] = await find(session, workspace.id, [(source, answer["submission_id"])])
    assert (event.type, (event.data or {})["reason"]) == ("form.submission.spam_detected", "honeypot")
    assert set(event.data or {}) == set(EVENTS[event.type].fields), "the catalog says what it holds"


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


async def test_people_are_led_on_where_the_form_says(api_client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    theme = {"color": "#ffdd00", "background": "#102030", "font": "serif", "logo_url": "https://cdn.example.com/l.png"}
    form = await a_form(api_client, redirect_to="https://www.example.com/thanks?x=1", theme=theme)
    page = await anybody.get(form["path"])
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https:;" in policy
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
