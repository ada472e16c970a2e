"""Meta's webhooks: what somebody wrote is a message, all else is passed over."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.inbound.message import Unreadable
from app.inbound.meta import read_messenger, read_whatsapp, told_of

CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "whatsapp_cloud_v23.yaml"
NOW = datetime(2030, 1, 31, 9, tzinfo=UTC)
PAGE = "106540352242922"

Body = dict[str, Any]


def page(*messaging: Body, id: str = PAGE) -> Body:
    return {"object": "page", "entry": [{"id": id, "time": 1458692752478, "messaging": list(messaging)}]}


def item(**told: Any) -> Body:
    return {"sender": {"id": "7001"}, "recipient": {"id": PAGE}, "timestamp": 1458692752478, **told}


TEXT = item(message={"mid": "mid.1457764197618:41d102a3e1ae206a38", "text": "hello, world!"})


def test_a_message_to_the_page_has_the_fields_of_a_message() -> None:
    [message] = read_messenger(page(TEXT), PAGE, NOW)
    event = message.envelope("our-page")
    assert (event["type"], event["subject"]) == ("message.messenger.received", "7001")
    assert event["id"] == "mid.1457764197618:41d102a3e1ae206a38"
    data = event["data"]
    assert (data["sender_id"], data["contact"], data["to"]) == ("7001", "7001", PAGE)
    assert (data["message_text"], data["message_timestamp"]) == ("hello, world!", "2016-03-23T00:25:52.478000Z")


def test_files_replies_and_buttons_come_along() -> None:
    told = {
        "mid": "m1",
        "text": "this",
        "reply_to": {"mid": "m0"},
        "quick_reply": {"payload": "YES"},
        "attachments": [{"type": "image", "payload": {"url": "https://cdn/1.jpg"}}, {"type": "fallback"}, 7],
    }
    postback = item(postback={"title": "Get started", "payload": "START", "mid": "m2"})
    first, second = read_messenger(page(item(message=told), postback), PAGE, NOW)
    assert first.data["media"] == [{"type": "image", "url": "https://cdn/1.jpg"}, {"type": "fallback", "url": None}]
    assert (first.data["in_reply_to"], first.data["button"]) == ("m0", {"text": "this", "payload": "YES"})
    assert (second.id, second.data["message_text"]) == ("m2", "Get started")
    assert second.data["button"] == {"text": "Get started", "payload": "START"}


def test_a_button_without_an_id_is_the_same_each_time_it_is_told_of() -> None:
    postback = item(postback={"title": "Get started", "payload": "START"})
    [first], [again] = (read_messenger(page(deepcopy(postback)), PAGE, NOW) for _ in range(2))
    [later] = read_messenger(page(postback | {"timestamp": 1458692752479}), PAGE, NOW)
    assert first.id == again.id != later.id


@pytest.mark.parametrize(
    "other",
    [
        item(message={"mid": "m", "text": "from us", "is_echo": True}),
        item(delivery={"mids": ["m"], "watermark": 1}),
        item(read={"watermark": 1}),
        item(reaction={"mid": "m", "action": "react", "emoji": "x"}),
        item(optin={"ref": "x"}),
        item(message={"mid": "m", "text": "x"}, sender={"id": PAGE}),
        item(message={"mid": "m", "text": "x"}, sender=None),
        {},
    ],
)
def test_what_nobody_wrote_is_passed_over(other: Body) -> None:
    assert [each.id for each in read_messenger(page(other, TEXT, "odd"), PAGE, NOW)] == [TEXT["message"]["mid"]]  # type: ignore[arg-type]


def test_messages_to_another_page_of_the_app_are_not_ours() -> None:
    assert read_messenger(page(TEXT, id="1"), PAGE, NOW) == []


def value(*messages: Body, **more: Any) -> Body:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": PAGE},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}],
        "messages": list(messages),
        **more,
    }


def account(*values: Body, field: str = "messages") -> Body:
    changes = [{"value": each, "field": field} for each in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "419561257915477", "changes": changes}]}


def wrote(type: str, part: Any, **more: Any) -> Body:
    return {"from": "16505551234", "id": f"wamid.{type}", "timestamp": "1749416383", "type": type, type: part, **more}


def test_a_message_to_the_number_has_the_fields_of_a_message() -> None:
    [message] = read_whatsapp(account(value(wrote("text", {"body": "Does it come in another color?"}))), PAGE, NOW)
    event = message.envelope("wa")
    assert (event["type"], event["subject"], event["id"]) == ("message.whatsapp.received", "+16505551234", "wamid.text")
    data = event["data"]
    assert (data["phone_number"], data["message_text"]) == ("+16505551234", "Does it come in another color?")
    assert (data["message_timestamp"], data["message_id"]) == ("2025-06-08T20:59:43Z", "wamid.text")
    assert (data["to"], data["profile_name"]) == ("+15550783881", "Sheena Nelson")


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (wrote("image", {"id": "i1", "mime_type": "image/jpeg", "caption": "This one"}), "This one"),
        (wrote("audio", {"id": "i1", "mime_type": "audio/ogg"}), ""),
        (wrote("button", {"text": "Yes", "payload": "yes"}), "Yes"),
        (wrote("interactive", {"type": "button_reply", "button_reply": {"id": "b", "title": "Later"}}), "Later"),
        (wrote("interactive", {"type": "list_reply", "list_reply": {"id": "b", "title": "Two"}}), "Two"),
        (wrote("location", {"latitude": 1.5, "longitude": 2}), ""),
        (wrote("unsupported", None, errors=[{"code": 131051}]), ""),
    ],
)
def test_every_kind_of_message_says_what_words_it_has(told: Body, text: str) -> None:
    [message] = read_whatsapp(account(value(told)), PAGE, NOW)
    assert (message.data["message_text"], message.data["message_type"]) == (text, told["type"])


def test_files_buttons_places_and_replies_come_along() -> None:
    image = wrote("image", {"id": "i1", "mime_type": "image/jpeg"}, context={"id": "wamid.before", "from": "1"})
    button = wrote("button", {"text": "Yes", "payload": "yes"})
    place = wrote("location", {"latitude": 1.5, "longitude": 2, "name": "Here", "address": ["x"]})
    first, second, third = read_whatsapp(account(value(image, button), value(place)), PAGE, NOW)
    [media] = first.data["media"]
    assert (media["id"], media["content_type"], first.data["in_reply_to"]) == ("i1", "image/jpeg", "wamid.before")
    assert second.data["button"] == {"text": "Yes", "payload": "yes"}
    assert third.data["location"] == {"latitude": 1.5, "longitude": 2, "name": "Here", "address": None}


def test_whom_a_body_tells_of_is_known() -> None:
    assert told_of(page(id="7")) == {"7"}
    assert told_of(account(value(wrote("text", {"body": "x"})))) == {PAGE}
    for body in (None, [], {"entry": 7}, {"object": "page"}, account({"metadata": {}})):
        assert told_of(body) == set()


def test_half_a_character_in_a_button_is_no_matter() -> None:
    pressed = {"sender": {"id": "1"}, "postback": {"payload": "\ud800"}}
    [message] = read_messenger(page(pressed), PAGE, NOW)
    assert message.id.startswith("sha256:")


def test_the_answers_of_a_flow_come_along() -> None:
    answers = {"name": "flow", "body": "Sent", "response_json": '{"size": "L"}'}
    told = wrote("interactive", {"type": "nfm_reply", "nfm_reply": answers})
    [message] = read_whatsapp(account(value(told)), PAGE, NOW)
    assert message.data["message_text"] == "Sent"
    assert message.data["button"] == {"text": "flow", "payload": '{"size": "L"}'}


def test_an_odd_place_is_told_as_far_as_it_can_be_kept() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    odd = {"latitude": float("nan"), "longitude": 1e400, "name": deep, "more": deep}
    [message] = read_whatsapp(account(value(wrote("location", odd))), PAGE, NOW)
    assert set(message.data["location"].values()) == {None}


@pytest.mark.parametrize(
    "body",
    [
        account(value(statuses=[{"id": "wamid.x", "status": "read"}])),
        account(value(wrote("reaction", {"emoji": "x", "message_id": "wamid.y"}))),
        account(value(wrote("system", {"body": "changed"}))),
        account(value(wrote("text", {"body": "x"})), field="group_settings_update"),
        account(value(wrote("text", {"body": "x"}), metadata={"phone_number_id": "1"})),
        account(value({"from": None, "id": "x", "type": "text"}, {"from": "1"})),
        {"object": "whatsapp_business_account"},
        {"object": "whatsapp_business_account", "entry": [None, {"changes": [{}, {"value": 7}]}]},
    ],
)
def test_what_is_no_message_to_the_number_is_passed_over(body: Body) -> None:
    assert read_whatsapp(body, PAGE, NOW) == []


@pytest.mark.parametrize("timestamp", [None, "soon", 10**30, [], "-1e99"])
def test_an_odd_time_is_the_time_it_came_in(timestamp: Any) -> None:
    [message] = read_whatsapp(account(value(wrote("text", {"body": "x"}) | {"timestamp": timestamp})), PAGE, NOW)
    assert message.at == NOW


@pytest.mark.parametrize("body", [None, [], {}, {"object": "instagram"}, "page"])
def test_the_body_of_another_product_is_said(body: Any) -> None:
    for read in (read_messenger, read_whatsapp):
        with pytest.raises(Unreadable):
            read(body, PAGE, NOW)


def published() -> list[Body]:
    """The messages that Meta's published description of its webhooks shows."""
    schemas = yaml.load(CONTRACT.read_text(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    text = [part for schema in schemas.values() for part in [schema, *schema.get("allOf", [])]]
    shown = [part["example"] for part in text if isinstance(part.get("example"), dict)]
    return [each for each in shown if {"from", "id", "timestamp", "type"} <= each.keys()]


@pytest.mark.skipif(not CONTRACT.exists(), reason=f"Meta's description is not here ({CONTRACT})")
def test_the_messages_metas_own_description_shows_are_read() -> None:
    found = published()
    assert {"text", "image", "button", "interactive"} <= {each["type"] for each in found}
    for told in found:
        messages = read_whatsapp(account(value(told)), PAGE, NOW)
        if told["type"] in ("reaction", "system"):
            assert messages == []
            continue
        [message] = messages
        assert (message.id, message.contact) == (told["id"], f"+{told['from']}")
        assert message.at.year >= 2024
        assert message.data["message_text"] or told["type"] not in ("text", "button", "interactive")
