"""Definitions of other systems as they are: sent, published, run to their end, with the effects they are to have."""

from copy import deepcopy

import httpx
import pytest

from app.json import Json, JsonObject
from tests.support.api_user import ApiUser
from tests.support.dialects import ACTIONS, FLAT, LINKED, WIZARD
from tests.support.http_stub import Answer, HttpStub

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


def asked(stub: HttpStub) -> list[tuple[str, Json]]:
    return [(request.path, request.json() if request.body else request.query) for request in stub.requests]


async def test_flat_steps_run_in_the_order_of_their_positions(user: ApiUser, http_stub: HttpStub) -> None:
    http_stub.answer("/customer", Answer(json={"name": "Noor"}))
    await user.publish(FLAT)
    data = {"url": http_stub.url, "customer_id": "c1", "status": "paid", "total": 700}
    assert await user.send({"type": "ecommerce.order.created", "data": {**data, "total": 50}}) == []
    [small] = await user.send({"type": "ecommerce.order.created", "data": {**data, "total": 200}})
    assert (await user.ended(small))["status"] == "completed"
    assert asked(http_stub) == [("/customer", {"id": "c1"})]
    [large] = await user.send({"type": "ecommerce.order.created", "data": data})
    assert (await user.ended(large))["status"] == "completed"
    assert asked(http_stub)[1:] == [("/customer", {"id": "c1"}), ("/large", {"customer": "Noor", "run": large})]


async def test_a_failed_flat_step_jumps_to_its_error_branch(user: ApiUser, http_stub: HttpStub) -> None:
    http_stub.answer("/charge", Answer(status=422))

    def call(name: str, **more: Json) -> JsonObject:
        config = {"url": f"{http_stub.url}/{name}", "body": {}}
        return {"id": name, "step_type": "action", "action_type": "webhook.send", "action_config": config, **more}

    steps = [call("charge", on_error="branch", error_branch_step_id="apologise"), call("ship")]
    steps += [{"id": "done", "step_type": "stop"}, call("apologise")]
    definition = {"name": "Charge", "trigger_type": "manual", "steps": steps}
    run = await user.run(await user.publish(definition))
    assert run["status"] == "completed", run["error"]
    assert [path for path, _ in asked(http_stub)] == ["/charge", "/apologise"]


@pytest.mark.parametrize(
    ("score", "way"), [({"angry": 1}, ("/calm", {"text": "hey"})), (None, ("/thanks", {"code": 204}))]
)
async def test_linked_steps_take_one_way_and_meet_again(
    user: ApiUser, http_stub: HttpStub, score: Json, way: tuple[str, Json]
) -> None:
    http_stub.answer("/score", Answer(json=score) if score else Answer(status=204))
    run = await user.run(await user.publish(LINKED), {"base": http_stub.url, "text": "hey"})
    assert run["status"] == "completed", run["error"]
    assert asked(http_stub) == [("/score", {"t": "hey"}), way, ("/archive", {"ok": True})]


async def test_actions_in_a_row_wait_and_call(user: ApiUser, http_stub: HttpStub) -> None:
    contact = {"hook": http_stub.url, "first_name": "Ada", "custom_fields": {"city": "Leiden"}}
    run = await user.run(await user.publish(ACTIONS), {"contact": contact})
    assert run["status"] == "completed", run["error"]
    assert asked(http_stub) == [("/hello", {"name": "Ada", "city": "Leiden"})]


async def test_a_wizards_event_runs_its_actions_and_says_what_to_show(user: ApiUser, http_stub: HttpStub) -> None:
    http_stub.answer("/find", Answer(status=503), Answer(json={"city": "Leiden", "data": {"city": "Leiden"}}))
    await user.publish({"name": "Postcode chosen", **WIZARD})
    responses = {"country": "NL", "postcode": "2311"}
    data = {"target_id": WIZARD["target_id"], "base": http_stub.url, "responses": responses}
    event = {"type": "wizard.option.on_select", "data": data}
    assert await user.send({**event, "data": {**data, "responses": {**responses, "country": "DE"}}}) == []
    assert await user.send({**event, "data": {**data, "target_id": "another"}}) == []
    [run_id] = await user.send(event)
    run = await user.ended(run_id)
    assert run["status"] == "completed", run["error"]
    assert asked(http_stub) == [
        ("/find", {"postcode": "2311"}),
        ("/find", {"postcode": "2311"}),
        ("/store", {"city": "Leiden", "n": 7}),
    ]
    [shown] = run["output"]["shown"]
    assert (shown["display_type"], shown["data"]["mapped"]) == ("table", {"city": "Leiden"})


async def test_every_door_reads_it_and_says_so(user: ApiUser) -> None:
    workflow = await user.post("/v1/workflows", {"name": "Large", "definition": FLAT})
    assert workflow["read_as"]["dialect"] == "flat"
    assert workflow["read_as"]["remarks"][0]["severity"] == "info"
    assert [step["type"] for step in workflow["draft"]["steps"]] == ["action", "condition", "action"]
    address = f"/v1/workflows/{workflow['id']}"
    assert (await user.get(address))["read_as"] is None
    verdict = await user.post(f"{address}/validate", {"definition": LINKED})
    assert verdict["valid"] is True
    assert [problem["severity"] for problem in verdict["problems"]] == ["info"]
    changed = await user.client.patch(address, json={"definition": ACTIONS})
    assert changed.json()["read_as"]["dialect"] == "actions"
    applied = await user.post("/v1/workflows/apply", {"definition": {**WIZARD, "name": None}})
    assert (applied["result"], applied["workflow"]["read_as"]["dialect"]) == ("created", "wizard")
    again = await user.post("/v1/workflows/apply", {"definition": WIZARD})
    assert again["result"] == "unchanged"


async def test_problems_name_the_place_in_the_document_that_was_sent(user: ApiUser) -> None:
    broken = deepcopy(FLAT)
    broken["steps"][0]["action_type"] = "webhook.sent"
    broken["steps"][1]["action_config"]["methd"] = broken["steps"][1]["action_config"].pop("method")
    answer = await user.client.post("/v1/workflows/apply", json={"definition": broken})
    assert answer.status_code == 422
    errors = [(each["path"], each["severity"]) for each in answer.json()["errors"]]
    assert sorted(errors) == [
        ("", "info"),
        ("steps[0].action_type", "error"),
        ("steps[1].action_config.methd", "error"),
    ]
    broken = {"steps": [{"step_type": "delay", "delay_config": {"value": 5}}]}
    answer = await user.client.post("/v1/workflows", json={"name": "x", "definition": broken})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "steps[0].delay_config.value"


async def test_a_definition_of_another_dialect_may_be_yaml(user: ApiUser) -> None:
    text = "event_name: Started\nevent_trigger: wizard.onStart\nactions: []\n"
    answer = await user.client.post("/v1/workflows", content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["read_as"]["dialect"]) == ("Started", "wizard")


async def test_steps_of_other_dialects_are_added_one_by_one(user: ApiUser) -> None:
    workflow = await user.post("/v1/workflows", {"name": "Steps"})
    actions = f"/v1/workflows/{workflow['id']}/actions"
    first = await user.post(actions, {"step_type": "stop", "action_config": {"reason": "r"}, "name": "The end"})
    assert (first["type"], first["id"], first["read_as"]["dialect"]) == ("stop", "the_end", "flat")
    wait = await user.post(
        actions, {"action_type": "wait_time", "action_config": {"duration": 1, "unit": "days"}, "position": 0}
    )
    assert (wait["type"], wait["duration"], wait["position"]) == ("delay", "1d", 0)
    body = {"to": "a@example.com", "subject": "s", "body": "{{contact.name}}"}
    mail = await user.post(
        actions, {"action_type": "send_email", "action_config": body, "previous_action_id": wait["id"]}
    )
    assert (mail["action"], mail["position"]) == ("email.send", 1)
    assert mail["inputs"]["body"] == "{{ trigger.contact.name }}"
    linked = await user.post(actions, {"stepId": "Mood", "stepType": "utility", "config": {"utilityType": "sentiment"}})
    assert (linked["id"], linked["action"]) == ("mood", "ai.sentiment")
    put = await user.client.put(f"{actions}/mood", json={"step_type": "stop"})
    assert (put.json()["type"], put.json()["id"]) == ("stop", "mood")
    refused = await user.client.post(actions, json={"step_type": "delay", "delay_config": {"value": 3}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == "delay_config.value"
    nowhere = await user.client.post(actions, json={"action_type": "add_tag", "previous_action_id": "none"})
    assert nowhere.status_code == 404
