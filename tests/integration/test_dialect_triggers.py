"""Definitions of other systems, each started through its own door: a message, a form's page, a wizard's event."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.json import JsonObject
from tests.support.api_user import ApiUser

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


def keeps(value: str) -> JsonObject:
    return {"key": "kept", "value": value}


async def the_run(user: ApiUser, workflow_id: str) -> JsonObject:
    [run] = (await user.get(f"/v1/runs?workflow_id={workflow_id}"))["items"]
    return await user.ended(run["id"])


async def test_a_message_starts_linked_steps_which_find_who_wrote_what(user: ApiUser) -> None:
    steps = [
        {
            "stepId": "start", "stepType": "trigger", "nextStepId": "keep",
            "config": {"triggerType": "whatsapp",
                       "conditions": [{"field": "message_text", "operator": "contains", "value": "order"}]},
        },
        {
            "stepId": "keep", "stepType": "action", "nextStepId": None,
            "config": {"actionType": "set_variable", **keeps("{{phone_number}}: {{message_text}} ({{message_id}})")},
        },
    ]  # fmt: skip
    workflow_id = await user.publish({"name": "Orders by message", "steps": steps})
    data = {"phone_number": "+4312345", "message_timestamp": "2030-01-01T00:00:00Z", "message_id": "m1"}
    event = {"type": "message.whatsapp.received", "subject": "+4312345"}
    assert await user.send({**event, "data": {**data, "message_text": "hello"}}) == []
    [run_id] = await user.send({**event, "data": {**data, "message_text": "my order"}})
    run = await user.ended(run_id)
    assert (run["workflow_id"], run["trigger"]["type"]) == (workflow_id, "message")
    assert run["variables"] == {"kept": "+4312345: my order (m1)"}


async def test_a_forms_page_starts_flat_steps_of_its_own_workflow_and_of_one_that_names_it(
    user: ApiUser, api_app: Any
) -> None:
    def flat(name: str, config: JsonObject) -> JsonObject:
        step = {"step_type": "set_variable", "action_config": keeps("{{trigger.fields.email}}")}
        return {"name": name, "trigger_type": "form_submission", "trigger_config": config, "steps": [step]}

    fields = {"type": "object", "properties": {"email": {"type": "string"}}}
    own = await user.publish(flat("Newsletter", {"form_id": "newsletter", "fields": fields}))
    naming = await user.publish(flat("Tell sales", {"form_id": "newsletter"}))
    other = await user.publish(flat("Tell nobody", {"form_id": "another"}))
    [form] = (await user.get(f"/v1/workflows/{own}/forms"))["items"]
    transport = httpx.ASGITransport(app=api_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as browser:
        answer = await browser.post(urlsplit(form["address"]).path, data={"field.email": "ada@example.com"})
    assert answer.status_code == 303, answer.text
    for workflow_id, kind in ((own, "form"), (naming, "event")):
        run = await the_run(user, workflow_id)
        assert (run["variables"], run["trigger"]["type"]) == ({"kept": "ada@example.com"}, kind)
    assert (await user.get(f"/v1/runs?workflow_id={other}"))["items"] == []


async def test_a_wizards_event_starts_its_actions(user: ApiUser) -> None:
    action = {
        "action_name": "Greet", "action_type": "transform_data", "execution_order": 1,
        "config": {"transformation_type": "template", "transformation_script": "Hello {{who}}"},
        "input_mapping": {"who": {"source": "option_set", "field_id": "name"}},
        "output_handling": {"display_type": "document"},
    }  # fmt: skip
    condition = {"field_id": "name", "operator": "is_not_empty"}
    wizard = {
        "event_name": "Greeting", "event_trigger": "step.onExit", "target_id": "s1",
        "conditions": [condition], "actions": [action],
    }  # fmt: skip
    await user.publish(wizard)
    event = {"type": "wizard.step.on_exit", "data": {"target_id": "s1", "responses": {"name": ""}}}
    assert await user.send(event) == []
    [run_id] = await user.send({**event, "data": {"target_id": "s1", "responses": {"name": "Ada"}}})
    assert (await user.ended(run_id))["output"]["shown"][0]["data"] == {"result": "Hello Ada"}
