"""Twilio's parameters as messages and calls, and the TwiML that answers them."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from app.inbound import calls, twiml
from app.inbound.message import Unreadable
from app.inbound.twilio import is_status, read_message

NOW = datetime(2030, 1, 31, 9, tzinfo=UTC)
SMS = {
    "ToCountry": "US",
    "MessageSid": "SM" + "1" * 32,
    "SmsMessageSid": "SM" + "1" * 32,
    "SmsSid": "SM" + "1" * 32,
    "SmsStatus": "received",
    "AccountSid": "AC" + "2" * 32,
    "From": "+14155551212",
    "To": "+15017122661",
    "Body": "Ja, gerne \U0001f642",
    "NumSegments": "1",
    "NumMedia": "0",
    "ApiVersion": "2010-04-01",
}
WHATSAPP = SMS | {
    "From": "whatsapp:+4366412345678",
    "To": "whatsapp:+15017122661",
    "ProfileName": "Ada",
    "WaId": "4366412345678",
    "NumMedia": "1",
    "MediaUrl0": "https://api.twilio.com/2010-04-01/Accounts/AC/Messages/MM/Media/ME",
    "MediaContentType0": "image/jpeg",
    "ButtonText": "Yes",
    "ButtonPayload": "yes-1",
    "OriginalRepliedMessageSid": "SM" + "3" * 32,
    "Latitude": "48.2",
    "Longitude": "16.37",
    "Label": "Vienna",
}


def test_an_sms_has_the_fields_of_a_message() -> None:
    message = read_message(SMS, NOW)
    assert (message.channel, message.id, message.contact) == ("sms", SMS["MessageSid"], "+14155551212")
    event = message.envelope("support-line")
    assert (event["type"], event["subject"], event["source"], event["id"]) == (
        "message.sms.received",
        "+14155551212",
        "/connections/support-line",
        SMS["MessageSid"],
    )
    data = event["data"]
    assert data["phone_number"] == data["contact"] == "+14155551212"
    assert (data["message_text"], data["message_timestamp"]) == (SMS["Body"], "2030-01-31T09:00:00Z")
    assert (data["message_id"], data["to"], data["connection"]) == (SMS["MessageSid"], "+15017122661", "support-line")
    assert (data["media"], data["button"], data["profile_name"]) == ([], None, None)


def test_a_message_of_whatsapp_is_one_of_the_number_without_its_prefix() -> None:
    message = read_message(WHATSAPP, NOW)
    assert (message.channel, message.contact) == ("whatsapp", "+4366412345678")
    assert message.data["phone_number"] == "+4366412345678"
    assert message.data["to"] == "+15017122661"
    assert message.data["profile_name"] == "Ada"
    assert message.data["media"] == [{"url": WHATSAPP["MediaUrl0"], "content_type": "image/jpeg"}]
    assert message.data["button"] == {"text": "Yes", "payload": "yes-1"}
    assert message.data["in_reply_to"] == "SM" + "3" * 32
    assert message.data["location"] == {"latitude": 48.2, "longitude": 16.37, "name": "Vienna", "address": None}


def test_a_visitor_of_a_page_is_known_by_an_id() -> None:
    message = read_message(SMS | {"From": "messenger:7002", "To": "messenger:100"}, NOW)
    assert (message.channel, message.contact, message.data["sender_id"]) == ("messenger", "7002", "7002")


@pytest.mark.parametrize("odd", ["-1", "1e9", "²", "99999999999999999999", "many", ""])
def test_an_odd_count_of_media_is_no_media(odd: str) -> None:
    assert read_message(WHATSAPP | {"NumMedia": odd}, NOW).data["media"] == []


@pytest.mark.parametrize(("name", "value"), [("Latitude", "north"), ("Longitude", "nan"), ("Latitude", "91")])
def test_an_odd_place_is_none(name: str, value: str) -> None:
    assert read_message(WHATSAPP | {name: value}, NOW).data["location"] is None


@pytest.mark.parametrize("wrong", [{}, {"From": "+1415"}, {"MessageSid": "SM1"}, SMS | {"From": "fax:+1415"}])
def test_what_is_no_message_is_said(wrong: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        read_message(wrong, NOW)


def test_what_became_of_a_message_that_was_sent_is_no_message() -> None:
    assert is_status(SMS | {"MessageStatus": "delivered", "SmsStatus": "delivered"})
    assert is_status({"MessageSid": "SM1", "SmsStatus": "sent", "From": "+1"})
    assert not is_status(SMS)


def inside(text: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(text)
    assert root.tag == "Response"
    return list(root)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, []),
        ("", []),
        ("Thanks & <bye>\x00\x0b", ["Thanks & <bye>"]),
        ({"a": ["ä"]}, ['{"a": ["ä"]}']),
        (7, ["7"]),
        ("x" * 1601, ["x" * 1600, "x"]),
    ],
)
def test_a_body_is_sent_as_messages(body: object, told: list[str]) -> None:
    assert [each.text for each in inside(twiml.messages(body))] == told


@pytest.mark.parametrize("own", ["<Response><Message>a</Message></Response>", '<?xml version="1.0"?>\n<Response/>'])
def test_a_body_is_twiml_where_its_headers_say_so_alone(own: str) -> None:
    for header in ({"Content-Type": "text/xml"}, {"content-type": "Application/XML; charset=utf-8"}):
        assert twiml.answer(own, header) == own
    for header in ({}, {"Content-Type": "text/plain"}, {"Content-Type": None}, {"X-Type": "text/xml"}):
        assert [each.text for each in inside(twiml.answer(own, header))] == [own]


def test_english_is_recorded_and_transcribed() -> None:
    say, record, _hang_up = inside(
        twiml.listen(greeting="Hi & <hello>", language="en-GB", max_seconds=30, said="https://a/s?b&c", transcript="t")
    )
    assert (say.text, say.get("language")) == ("Hi & <hello>", "en-GB")
    assert (record.tag, record.get("action"), record.get("maxLength")) == ("Record", "https://a/s?b&c", "30")
    assert (record.get("transcribe"), record.get("transcribeCallback")) == ("true", "t")


def test_any_other_language_is_recognised_while_it_is_spoken() -> None:
    gather, _hang_up = inside(
        twiml.listen(greeting="Grüß Gott", language="de-AT", max_seconds=30, said="s", transcript="t")
    )
    assert (gather.tag, gather.get("language"), gather.get("input")) == ("Gather", "de-AT", "speech")
    assert [each.text for each in gather] == ["Grüß Gott"]


CALLER = {"CallSid": "CA1", "From": "+14155551212", "To": "+15017122661"}
COMES_IN = CALLER | {"CallStatus": "ringing", "Direction": "inbound"}
RECORDED = CALLER | {"CallStatus": "completed", "RecordingUrl": "https://r/1", "RecordingDuration": "7"}
TRANSCRIBED = CALLER | {"TranscriptionText": "Call me back.", "TranscriptionStatus": "completed"}
TRANSCRIBED |= {"RecordingUrl": "https://r/1"}
OVER = CALLER | {"CallStatus": "completed", "CallDuration": "19", "Direction": "inbound"}


def test_a_call_is_put_together_in_whatever_order_it_is_told_of() -> None:
    parts = [(RECORDED, False), (TRANSCRIBED, False), (OVER, True)]
    for turn in range(3):
        known = calls.heard(COMES_IN)
        for form, over in parts[turn:] + parts[:turn]:
            assert (calls.patience(known) == timedelta()) == ("status" in known and "transcript" in known)
            known |= calls.heard(form, over=over)
        assert calls.patience(known) == timedelta()
        event = calls.read_call("CA1", known, NOW).envelope("line")
        assert (event["type"], event["subject"], event["id"]) == ("message.voice.received", "+14155551212", "CA1")
        data = event["data"]
        assert (data["caller_number"], data["call_duration"], data["call_transcript"]) == (
            "+14155551212",
            19,
            "Call me back.",
        )
        assert (data["recording_url"], data["recording_duration"]) == ("https://r/1", 7)


def test_speech_that_was_recognised_needs_no_transcript() -> None:
    known = calls.heard(COMES_IN) | calls.heard(CALLER | {"SpeechResult": "Hallo", "Confidence": "0.9"})
    known |= calls.heard(OVER, over=True)
    assert calls.patience(known) == timedelta()
    assert calls.read_call("CA1", known, NOW).data["call_transcript"] == "Hallo"


def test_a_call_in_which_nothing_was_said_is_a_call() -> None:
    known = calls.heard(COMES_IN) | calls.heard(OVER, over=True)
    assert calls.patience(known) == calls.FOR_RECORDING
    data = calls.read_call("CA1", known, NOW).data
    assert (data["call_transcript"], data["call_duration"], data["recording_url"]) == ("", 19, None)


def test_a_call_whose_end_is_not_told_of_takes_as_long_as_its_recording() -> None:
    known = calls.heard(COMES_IN) | calls.heard(RECORDED)
    assert calls.patience(known) == calls.FOR_TRANSCRIPT
    known |= calls.heard(TRANSCRIBED)
    assert calls.patience(known) == calls.FOR_END
    assert calls.read_call("CA1", known, NOW).data["call_duration"] == 7


@pytest.mark.parametrize("caller", ["anonymous", "Restricted", "+266696687", ""])
def test_a_caller_nobody_knows_is_no_contact(caller: str) -> None:
    assert calls.read_call("CA1", {"caller": caller}, NOW).contact is None


def test_an_odd_duration_is_none() -> None:
    assert calls.heard(OVER | {"CallDuration": "a while"}, over=True).get("duration") is None


def test_what_tells_of_no_call_is_said() -> None:
    with pytest.raises(Unreadable):
        calls.call_id({"From": "+1"})
