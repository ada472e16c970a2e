"""A CRM's own payloads, sent as CloudEvents by the official library in each of its modes, drive a run from its contact
to its end."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from app.json import Json, JsonObject
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES

pytestmark = pytest.mark.usefixtures("worker")

CRM_EVENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "crm-webhook-events"
NEEDED = pytest.mark.skipif(not CRM_EVENTS.exists(), reason=f"the CRM's own payloads are not here ({CRM_EVENTS})")
TYPES = {
    "ContactCreate": "crm.contact.created",
    "OpportunityStageUpdate": "crm.opportunity.stage_updated",
    "InboundMessage": "crm.message.received",
}


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


def ours(name: str) -> JsonObject:
    found: JsonObject = json.loads((EXAMPLES / "events" / f"{name}.json").read_text())
    return found


def cloud_event(payload: JsonObject, **data: Json) -> CloudEvent:
    """A payload of the CRM as a CloudEvent, as somebody between it and us would make one."""
    said = payload | data
    contact = said["id"] if said["type"] == "ContactCreate" else said["contactId"]
    id = "-".join((said["type"], contact, said.get("direction", "")))
    return CloudEvent({"id": id, "source": "/crm", "type": TYPES[said["type"]], "subject": contact}, said)


def crm(name: str) -> JsonObject:
    found: JsonObject = json.loads((CRM_EVENTS / f"{name}.json").read_text())
    return found


async def send(client: httpx.AsyncClient, message: HTTPMessage) -> list[JsonObject]:
    answer = await client.post("/v1/events", content=message.body, headers=message.headers)
    assert answer.status_code == 202, answer.text
    items: list[JsonObject] = answer.json()["items"]
    return items


def batch(*events: CloudEvent) -> HTTPMessage:
    """The library writes single events; a batch is a list of those (CloudEvents JSON format, 4)."""
    written = [JSONFormat().write(event).decode() for event in events]
    headers = {"content-type": "application/cloudevents-batch+json"}
    return HTTPMessage(headers, f"[{','.join(written)}]".encode())


@NEEDED
async def test_contact_stage_and_message_of_the_crm_drive_a_run(api_client: httpx.AsyncClient, user: ApiUser) -> None:
    await user.publish(read(EXAMPLES / "first-answer.yaml"))
    contact = crm("ContactCreate")["id"]
    [created] = await send(api_client, to_structured_event(cloud_event(crm("ContactCreate"))))
    [run_id] = created["started"]
    await asyncio.gather(user.waits(run_id, "listen.moved"), user.waits(run_id, "listen.answered"))

    # Another contact's news, and what we wrote ourselves, are no answer.
    outbound = cloud_event(crm("InboundMessage"), contactId=contact, direction="outbound")
    strangers = batch(cloud_event(crm("InboundMessage")), cloud_event(crm("OpportunityStageUpdate")), outbound)
    assert [item["woke"] for item in await send(api_client, strangers)] == [[], [], []]

    answer = to_binary_event(cloud_event(crm("InboundMessage"), contactId=contact))
    [answered] = await send(api_client, answer)
    assert answered["woke"] == [run_id]
    [moved, doubled] = await send(
        api_client, batch(*[cloud_event(crm("OpportunityStageUpdate"), contactId=contact)] * 2)
    )
    assert (moved["woke"], doubled) == ([run_id], moved | {"duplicate": True})

    run = await user.ended(run_id)
    assert run["output"] == {
        "contact": contact,
        "came_of_it": "warm",
        "stage": crm("OpportunityStageUpdate")["pipelineStageId"],
        "answer": "This is a test message",
        "channel": "SMS",
    }
    log = (await user.get(f"/v1/events?subject={contact}"))["items"]
    assert [event["type"] for event in log].count("crm.message.received") == 2


async def test_the_example_takes_its_events_in_any_order(user: ApiUser) -> None:
    await user.publish(read(EXAMPLES / "first-answer.yaml"))
    [run_id] = await user.send(ours("contact-created"))
    await user.send(ours("inbound-message"))
    await user.send(ours("opportunity-stage-updated"))
    run = await user.ended(run_id)
    assert (run["output"]["came_of_it"], run["output"]["channel"]) == ("warm", "SMS")
    woken = (await user.get("/v1/events/message-40b7de"))["runs"]
    assert [(one["id"], one["effect"]) for one in woken] in ([(run_id, "woke")], [])


@pytest.mark.parametrize(("events", "came"), [([], "cold"), (["opportunity-stage-updated"], "lukewarm")])
async def test_the_example_ends_when_the_time_is_over(user: ApiUser, events: list[str], came: str) -> None:
    await user.publish(read(EXAMPLES / "first-answer.yaml", patience="2s" if events else "50ms"))
    [run_id] = await user.send(ours("contact-created"))
    for name in events:
        await user.send(ours(name))
    assert (await user.ended(run_id))["output"]["came_of_it"] == came


@NEEDED
def test_the_example_message_has_the_shape_of_the_crms() -> None:
    original = crm("InboundMessage")
    assert {key: type(value) for key, value in ours("inbound-message")["data"].items()} == {
        key: type(value) for key, value in original.items()
    }
