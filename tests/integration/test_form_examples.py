"""What the page about forms and the example show is so, from the browser to the end of the run."""

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.json import Json, JsonObject
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES, blocks
from tests.support.pages import assert_accessible, page_of
from tests.support.smtp_catcher import SmtpCatcher

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


async def sends(user: ApiUser, app: Any, workflow_id: str, **filled: Json) -> JsonObject:
    """Open the form's page, fill it in as people do, and wait for the run it starts."""
    [form] = (await user.get(f"/v1/workflows/{workflow_id}/forms"))["items"]
    path = urlsplit(form["address"]).path
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as browser:
        page = page_of((await browser.get(path)).text)
        assert_accessible(page)
        sent: dict[str, list[str]] = {tag["name"]: [tag["value"]] for tag in page.all("input", type="hidden")}
        for name, value in filled.items():
            for each in value if isinstance(value, list) else [value]:
                sent.setdefault(f"field.{name}", []).append(typed(page.all(name=f"field.{name}"), page, each))
        answer = await browser.post(path, data=sent)
    assert answer.status_code == 303, answer.text
    [run] = (await user.get(f"/v1/runs?workflow_id={workflow_id}"))["items"]
    return await user.ended(run["id"])


def typed(inputs: list[Any], page: Any, value: Json) -> str:
    """What a browser sends for this: of choices the one with this label."""
    if inputs[0].attributes.get("type") in ("radio", "checkbox") and len(inputs) > 1:
        return next(str(tag["value"]) for tag in inputs if page.one("label", for_=tag["id"]).text == value)
    return str(value)


async def test_the_workflow_of_the_page_does_what_it_says(user: ApiUser, api_app: Any) -> None:
    definition, result, follower = [
        block for block in blocks("yaml", "json") if block.page.name == "forms.md" and block.kind in ("", "output")
    ]
    following = await user.publish(follower.content())
    workflow_id = await user.publish(definition.content())
    run = await sends(user, api_app, workflow_id, **json.loads(result.words.partition(" input=")[2]))
    assert run["output"] == result.content()
    [told] = (await user.get(f"/v1/runs?workflow_id={following}"))["items"]
    noted = (await user.ended(told["id"]), (await user.steps(told["id"]))["note"])
    assert noted[1]["output"] == {"form": "Read our news", "email": "ada@example.com"}


async def test_the_contact_form_of_the_examples_writes_to_the_right_desk(
    user: ApiUser, smtp_catcher: SmtpCatcher, api_app: Any
) -> None:
    config = {"host": smtp_catcher.host, "port": smtp_catcher.port, "security": "none", "from": "shop@example.com"}
    await user.connect("smtp", "smtp-main", config)
    workflow_id = await user.publish(read(EXAMPLES / "contact-form.yaml"))
    run = await sends(
        user, api_app, workflow_id,
        name="Ada", email="ada@example.com", topic="Something does not work", products=["Desk", "Lamp"],
        call_at="09:30", message="The lamp does not\nlight up.", terms="true",
    )  # fmt: skip
    assert (run["status"], run["output"]) == ("completed", {"desk": "support"})
    assert [mail.recipients for mail in smtp_catcher.mails] == [["help@example.com"], ["ada@example.com"]]
    assert "Products: Desk, Lamp" in smtp_catcher.mails[0].part("text/plain")
