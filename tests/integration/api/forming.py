"""What the tests of forms share: a form with every kind of field, how it is filled in, and what it says then."""

from urllib.parse import urlsplit

import httpx

from app.json import Json, JsonObject
from tests.integration.api.calls import a_workflow, made
from tests.support.pages import Page, page_of

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
