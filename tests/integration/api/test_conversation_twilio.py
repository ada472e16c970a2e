"""A conversation through Twilio's door: what somebody replies is for the run that waits for it, and starts no other."""

from datetime import timedelta

import httpx
import pytest

from app.json import JsonObject
from app.services import events
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.test_messages_twilio import EMPTY, WHATSAPP, listens, the_events, the_runs
from tests.support.api_user import ApiUser
from tests.support.providers import TWILIO, Receiver, receiving


@pytest.fixture
async def line(api_client: httpx.AsyncClient) -> Receiver:
    return await receiving(api_client, TWILIO)


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


@pytest.mark.usefixtures("worker")
async def test_a_reply_in_a_conversation_wakes_the_run_that_waits_and_starts_none(
    line: Receiver, user: ApiUser, platform: Platform, workspace: TestWorkspace
) -> None:
    reply: JsonObject = {"id": "reply", "type": "wait_for_event", "event": "message.whatsapp.received"}
    reply |= {"match": {"phone_number": "{{ trigger.phone_number }}"}}
    workflow_id = await listens(
        user, reply, channel="whatsapp", conversation=True, output="{{ steps.reply.output.message_text }}"
    )
    await line.twilio(WHATSAPP | {"MessageSid": "SM1", "Body": "hello"})
    [run] = await the_runs(user, workflow_id)
    await user.waits(run["id"], "reply")
    forged = await line.twilio(WHATSAPP | {"MessageSid": "SM0", "Body": "forged"}, X_Twilio_Signature="AAAA")
    assert forged.status_code == 403
    answer = await line.twilio(WHATSAPP | {"MessageSid": "SM2", "Body": "number 7"})
    assert (answer.status_code, answer.text) == (200, EMPTY)
    again = await line.twilio(WHATSAPP | {"MessageSid": "SM2", "Body": "number 7"})
    assert (again.status_code, again.text) == (200, EMPTY)
    assert (await user.ended(run["id"]))["output"] == "number 7"
    while await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta(0)):
        pass
    assert [each["id"] for each in await the_runs(user, workflow_id)] == [run["id"]]
    _, second = await the_events(platform, workspace)
    assert (second.started, second.woke) == ([], [run["id"]])
    assert second.dispatched_at is not None
    await line.twilio(WHATSAPP | {"MessageSid": "SM3", "Body": "another thing"})
    assert len(await the_runs(user, workflow_id)) == 2
