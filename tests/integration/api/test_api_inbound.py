"""Addresses that messages come in at: made, shown, rotated, deleted; and what a stranger gets to see there."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update

from app.db.models import MessageAddress
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import made, problem
from tests.support import providers
from tests.support.providers import MESSENGER, SENDGRID, TWILIO, WHATSAPP, receiving

SMS = {"MessageSid": "SM1", "From": "+14155551212", "To": "+15017122661", "Body": "Hi", "SmsStatus": "received"}
IMAP = {
    "kind": "imap",
    "name": "support-mail",
    "config": {"host": "imap.example.com"},
    "credentials": {"username": "u", "password": "p"},
}


async def test_an_address_is_made_once_and_shown_again(api_client: httpx.AsyncClient) -> None:
    receiver = await receiving(api_client, TWILIO)
    path = f"/v1/connections/{receiver.connection_id}/inbound"
    again = await api_client.post(path)
    assert (again.status_code, again.json()["address"]) == (200, receiver.address)
    shown = (await api_client.get(path)).json()
    assert shown == again.json()
    assert (shown["kind"], shown["connection"], shown["source"]) == ("twilio", "line", "/connections/line")
    assert set(shown["channels"]) == {"sms", "whatsapp", "voice"}
    values = {each["value"] for each in shown["enter"]}
    assert {receiver.address, f"{receiver.address}/voice", f"{receiver.address}/voice/status"} == values


@pytest.mark.parametrize("connection", [MESSENGER, WHATSAPP, SENDGRID], ids=lambda each: each["kind"])
async def test_what_to_enter_is_said_for_every_kind(
    api_client: httpx.AsyncClient, connection: dict[str, object]
) -> None:
    receiver = await receiving(api_client, connection)
    assert receiver.enter[0]["value"] == receiver.address
    assert len(receiver.enter) == (1 if connection["kind"] == "sendgrid" else 2)


async def test_a_mailbox_has_no_address(api_client: httpx.AsyncClient) -> None:
    connection = await made(api_client, "/v1/connections", IMAP)
    path = f"/v1/connections/{connection['id']}/inbound"
    problem(await api_client.get(path), 404, "inbound_not_found")
    found = await made(api_client, path)
    assert (found["address"], found["enter"], found["channels"]) == (None, [], ["email"])
    assert (found["mailbox"]["looked_into_at"], found["mailbox"]["failures"]) == (None, 0)
    problem(await api_client.post(f"{path}/rotate"), 409, "mailbox_has_no_address")
    assert (await api_client.delete(path)).status_code == 204
    problem(await api_client.delete(path), 404, "inbound_not_found")


async def test_a_connection_that_takes_no_messages_says_so(api_client: httpx.AsyncClient) -> None:
    smtp = {"kind": "smtp", "name": "smtp-main", "config": {"host": "mail.example.com"}}
    connection = await made(api_client, "/v1/connections", smtp)
    found = problem(
        await api_client.post(f"/v1/connections/{connection['id']}/inbound"), 409, "connection_takes_no_messages"
    )
    assert "twilio" in found["detail"]
    missing = "/v1/connections/01890000-0000-7000-8000-000000000000/inbound"
    for answer in (await api_client.post(missing), await api_client.get(missing), await api_client.delete(missing)):
        problem(answer, 404, "connection_not_found")


async def test_a_rotated_address_works_for_another_day(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    receiver = await receiving(api_client, TWILIO)
    path = f"/v1/connections/{receiver.connection_id}/inbound"
    rotated = await made(api_client, f"{path}/rotate")
    assert rotated["address"] != receiver.address
    until = datetime.fromisoformat(rotated["previous_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    new = providers.Receiver(api_client, receiver.connection_id, rotated["address"], [])
    assert [(await each.twilio(SMS)).status_code for each in (receiver, new)] == [200, 200]
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(MessageAddress).values(previous_until=datetime.now(UTC)))
    problem(await receiver.twilio(SMS), 404, "address_not_found")
    assert (await new.twilio(SMS)).status_code == 200
    assert (await api_client.get(path)).json()["previous_until"] is None


async def test_an_address_leads_nowhere_without_its_connection(api_client: httpx.AsyncClient) -> None:
    receiver = await receiving(api_client, TWILIO)
    assert (await api_client.delete(f"/v1/connections/{receiver.connection_id}?force=true")).status_code == 204
    problem(await receiver.twilio(SMS), 404, "address_not_found")
    other = await receiving(api_client, TWILIO)
    assert (await api_client.delete(f"/v1/connections/{other.connection_id}/inbound")).status_code == 204
    problem(await other.twilio(SMS), 404, "address_not_found")


async def test_whatever_is_wrong_with_an_address_the_answer_is_the_same(api_client: httpx.AsyncClient) -> None:
    receiver = await receiving(api_client, TWILIO)
    token = receiver.path.rpartition("/")[2]
    swapped = token[:-3] + ("aaa" if token[-3:] != "aaa" else "bbb")
    foreign = token.replace(token.split("_")[1], "a" * 26)
    answers = [
        await receiver.client.post(f"/messages/{wrong}{part}", data={"a": "b"})
        for wrong in (swapped, foreign, "x", token.upper(), "msg_%00_x", f"{token}x")
        for part in ("", "/voice", "/voice/status")
    ]
    answers += [await receiver.twilio(SMS, "/voice/elsewhere"), await receiver.client.get("/messages/x")]
    told = {(answer.status_code, answer.json()["detail"]) for answer in answers}
    assert told == {(404, "No messages are taken at this address.")}


async def test_an_address_is_in_no_log(
    api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = await receiving(api_client, TWILIO)

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("app.services.incoming.take_and_answer", broken)
    assert (await receiver.twilio(SMS)).status_code == 500
    assert "/messages/..." in caplog.text
    assert receiver.path not in caplog.text
