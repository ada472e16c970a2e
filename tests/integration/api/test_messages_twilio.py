"""Twilio's door: from a signed request to a finished run, the answer in TwiML; and whatever is wrong with a request."""

import asyncio
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from sqlalchemy import func, select, update

from app.db.models import Call, Event, Subscription
from app.json import Json, JsonObject
from app.services import calls
from app.services.errors import Unavailable
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import problem
from tests.support.api_user import ApiUser
from tests.support.providers import TWILIO, Receiver, receiving

EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
SMS = {
    "MessageSid": "SM" + "1" * 32,
    "SmsSid": "SM" + "1" * 32,
    "SmsStatus": "received",
    "AccountSid": TWILIO["config"]["account_sid"],
    "From": "+14155551212",
    "To": "+15017122661",
    "Body": "Where is my order? ä & <b>",
    "NumMedia": "0",
}
WHATSAPP = SMS | {"From": "whatsapp:+4366412345678", "To": "whatsapp:+15017122661", "ProfileName": "Ada"}
SEEN: JsonObject = {"id": "seen", "type": "transform", "mapping": {"said": "{{ trigger.message_text }}"}}


@pytest.fixture
async def line(api_client: httpx.AsyncClient) -> Receiver:
    return await receiving(api_client, TWILIO)


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


async def listens(user: ApiUser, *steps: JsonObject, output: Json = None, **trigger: Json) -> str:
    """A workflow with a message trigger; answers its id."""
    whole = {"type": "message", "channel": "sms", "connection": "line", **trigger}
    return await user.publish({"name": "Test", "trigger": whole, "steps": list(steps or (SEEN,)), "output": output})


async def the_runs(user: ApiUser, workflow_id: str) -> list[JsonObject]:
    found: list[JsonObject] = (await user.get(f"/v1/runs?workflow_id={workflow_id}"))["items"]
    return found


async def the_events(platform: Platform, workspace: TestWorkspace) -> list[Event]:
    async with platform.database.transaction(workspace.id) as session:
        return list(await session.scalars(select(Event).order_by(Event.received_at)))


def texts(answer: httpx.Response) -> list[str | None]:
    assert answer.headers["content-type"].startswith("text/xml")
    return [each.text for each in ElementTree.fromstring(answer.text)]


@pytest.mark.usefixtures("worker")
async def test_an_sms_starts_a_run_that_has_its_fields(line: Receiver, user: ApiUser) -> None:
    workflow_id = await listens(user, output={"trigger": "{{ trigger }}", "event": "{{ event.type }}"})
    other = await listens(user, channel="whatsapp")
    answer = await line.twilio(SMS)
    assert (answer.status_code, answer.text) == (200, EMPTY)
    [run] = await the_runs(user, workflow_id)
    ended = await user.ended(run["id"])
    assert (ended["status"], ended["trigger"]["type"]) == ("completed", "message")
    assert ended["output"]["event"] == "message.sms.received"
    trigger = ended["output"]["trigger"]
    assert (trigger["phone_number"], trigger["message_text"]) == ("+14155551212", SMS["Body"])
    assert (trigger["message_id"], trigger["connection"]) == (SMS["MessageSid"], "line")
    assert await the_runs(user, other) == []


@pytest.mark.usefixtures("worker")
async def test_the_same_message_twice_starts_one_run(line: Receiver, user: ApiUser) -> None:
    workflow_id = await listens(user)
    answers = await asyncio.gather(*(line.twilio(SMS) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await the_runs(user, workflow_id)) == 1


@pytest.mark.usefixtures("worker")
async def test_a_message_wakes_the_run_that_waits_for_its_sender(line: Receiver, user: ApiUser) -> None:
    wait = {"id": "reply", "type": "wait_for_event", "event": "message.whatsapp.received"}
    wait |= {"match": {"phone_number": "{{ trigger.phone_number }}"}}
    workflow_id = await listens(
        user, wait, channel="whatsapp", filter={"message_text": "start"}, output="{{ steps.reply.output.message_text }}"
    )
    await line.twilio(WHATSAPP | {"MessageSid": "SM1", "Body": "start"})
    [run] = await the_runs(user, workflow_id)
    await user.waits(run["id"], "reply")
    await line.twilio(WHATSAPP | {"MessageSid": "SM2", "Body": "not me", "From": "whatsapp:+431"})
    await line.twilio(WHATSAPP | {"MessageSid": "SM3", "Body": "it is me"})
    assert (await user.ended(run["id"]))["output"] == "it is me"
    assert len(await the_runs(user, workflow_id)) == 1


async def test_a_conversation_is_subscribed_as_one(
    line: Receiver, user: ApiUser, platform: Platform, workspace: TestWorkspace
) -> None:
    await listens(user, channel="whatsapp", conversation=True)
    async with platform.database.transaction(workspace.id) as session:
        [row] = await session.scalars(select(Subscription))
    assert (row.kind, row.event, row.source) == ("message", "message.whatsapp.received", "/connections/line")
    assert row.options["conversation"] is True
    await line.twilio(WHATSAPP)
    [event] = await the_events(platform, workspace)
    assert (event.subject, event.source, event.type) == ("+4366412345678", row.source, row.event)


@pytest.mark.usefixtures("worker")
async def test_messages_over_another_connection_are_not_for_this_trigger(
    line: Receiver, user: ApiUser, api_client: httpx.AsyncClient
) -> None:
    other = await receiving(api_client, TWILIO | {"name": "other"})
    mine, all_ = await listens(user), await listens(user, connection=None)
    await other.twilio(SMS)
    assert (len(await the_runs(user, mine)), len(await the_runs(user, all_))) == (0, 1)
    await line.twilio(SMS)
    assert (len(await the_runs(user, mine)), len(await the_runs(user, all_))) == (1, 2)


@pytest.mark.usefixtures("worker")
async def test_a_step_answers(line: Receiver, user: ApiUser) -> None:
    respond = {"id": "answer", "type": "respond", "body": "You said: {{ trigger.message_text }}"}
    await listens(user, respond, respond="by_step")
    answer = await line.twilio(SMS)
    assert (answer.status_code, texts(answer)) == (200, [f"You said: {SMS['Body']}"])
    assert texts(await line.twilio(SMS)) == texts(answer)


TWIML = "<Response><Message to='+19005550100'>Hello</Message></Response>"


@pytest.mark.usefixtures("worker")
async def test_what_a_stranger_writes_is_never_told_to_twilio_as_twiml(line: Receiver, user: ApiUser) -> None:
    await listens(user, {"id": "echo", "type": "respond", "body": "{{ trigger.message_text }}"}, respond="by_step")
    assert texts(await line.twilio(SMS | {"Body": TWIML})) == [TWIML]


@pytest.mark.usefixtures("worker")
async def test_a_step_that_says_so_answers_in_twiml(line: Receiver, user: ApiUser) -> None:
    answer = {"id": "answer", "type": "respond", "body": TWIML, "headers": {"content-type": "Text/XML; charset=utf-8"}}
    await listens(user, answer, respond="by_step")
    assert (await line.twilio(SMS)).text == TWIML


@pytest.mark.usefixtures("worker")
async def test_a_step_that_takes_too_long_is_not_waited_for(line: Receiver, user: ApiUser) -> None:
    slow = {"id": "pause", "type": "delay", "duration": "1h"}
    await listens(user, slow, {"id": "answer", "type": "respond", "body": "late"}, respond="by_step", timeout="200ms")
    assert (await line.twilio(SMS)).text == EMPTY


@pytest.mark.usefixtures("worker")
async def test_a_run_that_ends_without_an_answer_is_not_waited_for(line: Receiver, user: ApiUser) -> None:
    await listens(user, respond="by_step")
    assert (await line.twilio(SMS)).text == EMPTY


@pytest.mark.parametrize(
    "changed",
    [
        {"X_Twilio_Signature": ""},
        {"X_Twilio_Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"query": "?a=b", "X_Twilio_Signature": "x"},
    ],
)
async def test_a_request_twilio_did_not_sign_is_refused(
    line: Receiver,
    platform: Platform,
    workspace: TestWorkspace,
    changed: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for part in ("", "/voice", "/voice/said", "/voice/status"):
        found = problem(await line.twilio(SMS | {"CallSid": "CA1"}, part, **changed), 403, "message_not_signed")
        assert found["detail"] == "The request is not signed as the provider of this address signs."
    assert "connection line" in caplog.text
    assert await the_events(platform, workspace) == []


async def test_a_query_is_signed_as_well(line: Receiver) -> None:
    assert (await line.twilio(SMS, query="?team=a%20b&x=")).status_code == 200


async def test_a_header_left_out_is_refused_the_same_way(line: Receiver) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    wrong = await line.twilio(SMS, X_Twilio_Signature="x")
    missing = await line.post("", b"MessageSid=SM1", **form)
    assert [{**each.json(), "request_id": ""} for each in (wrong, missing)] == [wrong.json() | {"request_id": ""}] * 2


async def test_what_is_no_message_is_refused_with_the_reason(line: Receiver) -> None:
    assert "MessageSid and From" in problem(await line.twilio({"From": "+1"}), 422, "invalid_message")["detail"]
    call = {"CallSid": "CA1", "From": "+1"}
    assert "/voice" in problem(await line.twilio(call), 422, "invalid_message")["detail"]
    problem(await line.twilio({"From": "+1"}, "/voice"), 422, "invalid_message")
    json = await line.post("", b"{}", **{"Content-Type": "application/json"})
    problem(json, 415, "unsupported_media_type")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem(await line.post("", b"a=%ff", **form), 400, "bad_request")
    problem(await line.post("", b"a=b&" * 2000, **form), 400, "bad_request")
    problem(await line.post("", b"a=" + b"x" * 5_000_000, **form), 413, "body_too_large")
    answer = await line.client.get(line.path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_status_of_a_message_that_was_sent_starts_nothing(
    line: Receiver, platform: Platform, workspace: TestWorkspace
) -> None:
    assert (await line.twilio(SMS | {"MessageStatus": "delivered", "SmsStatus": "delivered"})).text == EMPTY
    assert await the_events(platform, workspace) == []


async def test_text_nobody_can_keep_costs_a_character(
    line: Receiver, platform: Platform, workspace: TestWorkspace
) -> None:
    assert (await line.twilio(SMS | {"Body": "a\x00b"})).status_code == 200
    [event] = await the_events(platform, workspace)
    assert event.data["message_text"] == "a\N{REPLACEMENT CHARACTER}b"


async def test_without_a_database_nothing_is_taken(
    line: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    monkeypatch.setattr("app.services.events.ingest", away)
    answer = await line.twilio(SMS)
    problem(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"]
    assert line.path not in caplog.text


CALLER = {"CallSid": "CA" + "1" * 32, "From": "+14155551212", "To": "+15017122661", "Direction": "inbound"}
RECORDED = CALLER | {"RecordingUrl": "https://api.twilio.com/r", "RecordingDuration": "7", "CallStatus": "in-progress"}
TRANSCRIBED = CALLER | {"TranscriptionText": "Call me back.", "TranscriptionStatus": "completed"}
OVER = CALLER | {"CallStatus": "completed", "CallDuration": "19"}


@pytest.mark.usefixtures("worker")
async def test_a_call_is_answered_taken_down_and_starts_one_run(line: Receiver, user: ApiUser) -> None:
    workflow_id = await listens(
        user, {"id": "a", "type": "transform", "mapping": {"b": 1}}, channel="voice", greeting="Grüß Sie!",
        max_seconds=45, output="{{ trigger }}",
    )  # fmt: skip
    answer = await line.twilio(CALLER | {"CallStatus": "ringing"}, "/voice")
    say, record, _ = ElementTree.fromstring(answer.text)
    assert (say.text, record.get("maxLength")) == ("Grüß Sie!", "45")
    said, transcript = record.get("action", ""), record.get("transcribeCallback", "")
    assert said.startswith(line.address)
    assert transcript.startswith(line.address)
    assert "Hangup" in (await line.twilio(RECORDED, said.removeprefix(line.address))).text
    assert (await line.twilio(OVER, "/voice/status")).text == EMPTY
    assert await the_runs(user, workflow_id) == []
    assert (await line.twilio(TRANSCRIBED, transcript.removeprefix(line.address))).status_code == 200
    assert (await line.twilio(TRANSCRIBED, "/voice/transcript")).status_code == 200
    assert (await line.twilio(OVER, "/voice/status")).status_code == 200
    [run] = await the_runs(user, workflow_id)
    output = (await user.ended(run["id"]))["output"]
    assert (output["caller_number"], output["call_duration"], output["call_transcript"]) == (
        "+14155551212",
        19,
        "Call me back.",
    )


async def test_a_call_nobody_listens_to_is_greeted_all_the_same(line: Receiver, user: ApiUser) -> None:
    say, record, _ = ElementTree.fromstring((await line.twilio(CALLER, "/voice")).text)
    assert (say.text, record.tag) == ("Please leave a message after the tone.", "Record")
    await listens(user, channel="voice", language="de-AT")
    gather, _ = ElementTree.fromstring((await line.twilio(CALLER, "/voice")).text)
    assert (gather.tag, gather.get("language")) == ("Gather", "de-AT")


async def test_a_call_of_which_nothing_more_is_heard_is_told_by_upkeep(
    line: Receiver, platform: Platform, workspace: TestWorkspace
) -> None:
    await line.twilio(CALLER, "/voice")
    await line.twilio(OVER, "/voice/status")
    assert await calls.tell_overdue(platform, workspace.id, 10) == 0
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(Call).values(due_at=func.now() - timedelta(seconds=1)))
    assert await calls.tell_overdue(platform, workspace.id, 10) == 1
    assert await calls.tell_overdue(platform, workspace.id, 10) == 0
    await line.twilio(TRANSCRIBED, "/voice/transcript")
    [event] = await the_events(platform, workspace)
    assert (event.type, event.data["call_duration"], event.data["call_transcript"]) == (
        "message.voice.received",
        19,
        "",
    )
    async with platform.database.transaction(workspace.id) as session:
        [call] = await session.scalars(select(Call))
    assert call.known == {}


async def test_a_call_that_is_no_event_keeps_no_other_from_being_told(
    line: Receiver, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(platform.settings.__dict__, "max_event_bytes", 2000)
    await line.twilio(TRANSCRIBED | {"TranscriptionText": "x" * 4000}, "/voice/transcript")
    assert (await line.twilio(OVER, "/voice/status")).status_code == 200
    for part, form in (("/voice/transcript", TRANSCRIBED), ("/voice/status", OVER)):
        await line.twilio(form | {"CallSid": "CA2"}, part)
    assert await calls.tell_overdue(platform, workspace.id, 10) == 0
    assert [event.id for event in await the_events(platform, workspace)] == ["CA2"]


async def test_calls_made_from_here_are_not_told_of(
    line: Receiver, platform: Platform, workspace: TestWorkspace
) -> None:
    assert (await line.twilio(OVER | {"Direction": "outbound-api"}, "/voice/status")).text == EMPTY
    async with platform.database.transaction(workspace.id) as session:
        assert list(await session.scalars(select(Call))) == []
