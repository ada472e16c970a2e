"""The doors of Meta and SendGrid: from a request to a finished run, and whatever is wrong with a request."""

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select
from starlette.requests import Request

from api.reading import read_body
from app.db.models import Event
from app.json import JsonObject
from app.services.errors import Unavailable
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import problem
from tests.support.api_user import ApiUser
from tests.support.providers import APP_SECRET, MESSENGER, NUMBER_ID, SENDGRID, WHATSAPP, Receiver, receiving

PAGE: JsonObject = {
    "object": "page",
    "entry": [
        {
            "id": NUMBER_ID,
            "time": 1458692752478,
            "messaging": [
                {
                    "sender": {"id": "7001"},
                    "recipient": {"id": NUMBER_ID},
                    "timestamp": 1458692752478,
                    "message": {"mid": "mid.1", "text": "hello, world!"},
                },
                {"sender": {"id": "7001"}, "recipient": {"id": NUMBER_ID}, "read": {"watermark": 1458692752478}},
            ],
        }
    ],
}


def wrote(id: str, text: str) -> JsonObject:
    return {"from": "16505551234", "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": text}}


def account(*messages: JsonObject) -> JsonObject:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}],
        "messages": list(messages),
    }
    changes = [{"value": value, "field": "messages"}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "419561257915477", "changes": changes}]}


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


async def listens(user: ApiUser, channel: str, **trigger: Any) -> str:
    steps = [{"id": "a", "type": "transform", "mapping": {"b": 1}}]
    whole = {"type": "message", "channel": channel, **trigger}
    return await user.publish({"name": "Test", "trigger": whole, "steps": steps, "output": "{{ trigger }}"})


async def output_of_the_run(user: ApiUser, workflow_id: str) -> JsonObject:
    [run] = (await user.get(f"/v1/runs?workflow_id={workflow_id}"))["items"]
    ended = await user.ended(run["id"])
    assert (ended["status"], ended["trigger"]["type"]) == ("completed", "message")
    output: JsonObject = ended["output"]
    return output


async def the_events(platform: Platform, workspace: TestWorkspace) -> list[Event]:
    async with platform.database.transaction(workspace.id) as session:
        return list(await session.scalars(select(Event).order_by(Event.received_at)))


@pytest.mark.usefixtures("worker")
async def test_a_message_of_messenger_starts_a_run(api_client: httpx.AsyncClient, user: ApiUser) -> None:
    page = await receiving(api_client, MESSENGER)
    workflow_id = await listens(user, "messenger", connection="our-page")
    for _ in range(2):
        answer = await page.meta(PAGE)
        assert (answer.status_code, answer.text) == (200, "EVENT_RECEIVED")
    output = await output_of_the_run(user, workflow_id)
    assert (output["sender_id"], output["message_text"], output["message_id"]) == ("7001", "hello, world!", "mid.1")


@pytest.mark.usefixtures("worker")
async def test_a_message_of_whatsapps_cloud_starts_a_run(api_client: httpx.AsyncClient, user: ApiUser) -> None:
    number = await receiving(api_client, WHATSAPP)
    workflow_id = await listens(user, "whatsapp", connection="wa", filter={"message_text": {"$contains": "color"}})
    answer = await number.meta(account(wrote("wamid.1", "another color?"), wrote("wamid.2", "no?")))
    assert answer.status_code == 200
    output = await output_of_the_run(user, workflow_id)
    assert (output["phone_number"], output["message_id"], output["profile_name"]) == (
        "+16505551234",
        "wamid.1",
        "Sheena Nelson",
    )


async def test_many_messages_in_one_request_are_as_many_events_in_their_order(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    number = await receiving(api_client, WHATSAPP)
    sent = [wrote(f"wamid.{index}", f"text {index}") for index in range(120)]
    assert (await number.meta(account(*sent))).status_code == 200
    assert [event.id for event in await the_events(platform, workspace)] == [each["id"] for each in sent]


async def test_what_is_told_of_another_number_is_passed_over_and_logged(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    number = await receiving(api_client, WHATSAPP | {"config": {"phone_number_id": "15550783881"}})
    assert (await number.meta(account(wrote("wamid.1", "hello")))).status_code == 200
    assert await the_events(platform, workspace) == []
    assert f"it is {NUMBER_ID}'s, and the connection is of 15550783881" in caplog.text
    own = await receiving(api_client, WHATSAPP | {"name": "own"})
    caplog.clear()
    assert (await own.meta(account(wrote("wamid.1", "hello")))).status_code == 200
    assert "passed over" not in caplog.text


async def test_meta_verifies_the_address(api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    page = await receiving(api_client, MESSENGER)
    token = page.enter[1]["value"]
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    answer = await api_client.get(page.path, params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "x"}, {"hub.verify_token": ""}, {"hub.mode": "other"}):
        problem(await api_client.get(page.path, params=asked | wrong), 403, "message_not_verified")
    problem(await api_client.get(page.path), 403, "message_not_verified")
    assert "connection our-page" in caplog.text
    assert page.path not in caplog.text
    for challenge in ("<script>", "", "x" * 201):
        problem(await api_client.get(page.path, params=asked | {"hub.challenge": challenge}), 400, "bad_request")


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc"])
async def test_what_meta_did_not_sign_is_refused(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, signature: str
) -> None:
    for connection in (MESSENGER, WHATSAPP):
        door = await receiving(api_client, connection)
        problem(await door.meta(PAGE, X_Hub_Signature_256=signature), 403, "message_not_signed")
    assert await the_events(platform, workspace) == []


async def test_a_body_that_is_none_of_metas_is_refused_with_the_reason(api_client: httpx.AsyncClient) -> None:
    page = await receiving(api_client, MESSENGER)
    assert "object is not page" in problem(await page.meta(account()), 422, "invalid_message")["detail"]
    for broken in (b"{", b"[" * 100_000, b"\xff"):
        signature = "sha256=" + hmac.new(APP_SECRET.encode(), broken, hashlib.sha256).hexdigest()
        problem(await page.post("", broken, **{"X-Hub-Signature-256": signature}), 400, "malformed_json")
    problem(await page.post("", b"x" * 5_000_000), 413, "body_too_large")


FIELDS = {
    "headers": "Message-ID: <one@example.com>\nDate: Thu, 31 Jan 2019 08:30:00 +0100\n",
    "from": "Ada Lovelace <ada@example.com>",
    "to": "support@shop.example",
    "subject": "Wo bleibt es?",
    "text": "Guten Tag",
    "html": "<p>Guten Tag</p>",
    "envelope": '{"to":["support@shop.example"],"from":"ada@example.com"}',
    "charsets": '{"to":"UTF-8","text":"UTF-8","subject":"UTF-8","from":"UTF-8"}',
    "SPF": "pass",
    "dkim": "{@example.com : pass}",
    "spam_score": "0.1",
}


def form(fields: dict[str, str] = FIELDS, **files: tuple[str, bytes, str]) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x", data=fields, files=files or {"none": ("", b"", "text/plain")})
    return request.read(), request.headers["content-type"]


async def parse(door: Receiver, sent: tuple[bytes, str], **headers: str) -> httpx.Response:
    return await door.post("", sent[0], **{"Content-Type": sent[1], **headers})


@pytest.mark.usefixtures("worker")
async def test_a_mail_that_sendgrid_parsed_starts_a_run(api_client: httpx.AsyncClient, user: ApiUser) -> None:
    door = await receiving(api_client, SENDGRID)
    workflow_id = await listens(user, "email", connection="parse")
    large = b"\x89PNG" * 500_000
    for _ in range(2):
        sent = form(attachment1=("a.png", b"\x89PNG", "image/png"), attachment2=("b.png", large, "image/png"))
        assert (await parse(door, sent)).status_code == 200
    output = await output_of_the_run(user, workflow_id)
    assert (output["email_from"], output["email_subject"], output["email_body"], output["email_timestamp"]) == (
        "ada@example.com",
        "Wo bleibt es?",
        "Guten Tag",
        "2019-01-31T07:30:00Z",
    )
    small, named = output["attachments"]
    assert (base64.b64decode(small["content"]), named["content"], named["size"]) == (b"\x89PNG", None, len(large))


@pytest.mark.usefixtures("worker")
async def test_a_filter_leaves_out_what_programs_wrote(api_client: httpx.AsyncClient, user: ApiUser) -> None:
    door = await receiving(api_client, SENDGRID)
    workflow_id = await listens(user, "email", filter={"automatic": False})
    away = "Message-ID: <away@example.com>\nAuto-Submitted: auto-replied\n"
    for headers in (away, FIELDS["headers"]):
        assert (await parse(door, form(FIELDS | {"headers": headers}))).status_code == 200
    assert (await output_of_the_run(user, workflow_id))["message_id"] == "<one@example.com>"


async def test_a_signed_mail_is_taken_and_no_other_where_there_is_a_key(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, shape = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    public = base64.b64encode(key.public_key().public_bytes(encoding, shape)).decode()
    door = await receiving(api_client, SENDGRID | {"config": {"verification_key": public}})
    sent = form()
    signature = base64.b64encode(key.sign(b"1700000000" + sent[0], ec.ECDSA(hashes.SHA256()))).decode()
    named = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"
    for wrong in ({}, {named[0]: signature}, {named[0]: signature, named[1]: "1700000001"}):
        problem(await parse(door, sent, **wrong), 403, "message_not_signed")
    assert await the_events(platform, workspace) == []
    headers = dict(zip(named, (signature, "1700000000"), strict=True))
    assert (await parse(door, sent, **headers)).status_code == 200
    assert [event.subject for event in await the_events(platform, workspace)] == ["ada@example.com"]


async def test_few_mails_are_in_memory_at_once(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = await receiving(api_client, SENDGRID)
    under_way, most = 0, 0

    async def slowly(request: Request, limit: int) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return await read_body(request, limit)

    monkeypatch.setattr("api.routes.incoming.sendgrid.read_body", slowly)
    mails = [form(FIELDS | {"headers": f"Message-ID: <{number}@example.com>\n"}) for number in range(12)]
    answers = await asyncio.gather(*(parse(door, each) for each in mails))
    assert {answer.status_code for answer in answers} == {200}
    assert (most, len(await the_events(platform, workspace))) == (4, 12)


async def test_a_form_that_is_no_mail_is_refused_with_the_reason(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    door = await receiving(api_client, SENDGRID)
    assert "from and headers" in problem(await parse(door, form({"text": "x"})), 422, "invalid_message")["detail"]
    assert "connection parse" in caplog.text
    problem(await parse(door, (b"a=b", "application/x-www-form-urlencoded")), 415, "unsupported_media_type")
    problem(await parse(door, (b"--x\r\n", "multipart/form-data; boundary=x")), 400, "bad_request")
    problem(await api_client.get(door.path), 405, "method_not_allowed")
    problem(await api_client.post(f"{door.path}/voice"), 404, "address_not_found")

    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    monkeypatch.setattr("app.services.events.ingest", away)
    problem(await parse(door, form()), 503, "database_unavailable")
