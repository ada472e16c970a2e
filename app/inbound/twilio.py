"""What Twilio's webhooks say about messages: SMS, MMS, WhatsApp and Messenger, as parameters of a form.

Names of parameters: "Twilio's Request to your Webhook URL" in its messaging documents. They carry no time of the
message, so that it is the time it was received. Calls are `calls.py`'s.
"""

from collections.abc import Mapping
from datetime import datetime

from app.definition.triggers.message import Channel
from app.inbound.message import Message, Unreadable, moment
from app.json import Json, JsonObject

_CHANNELS: Mapping[str, Channel] = {"": "sms", "rcs": "sms", "whatsapp": "whatsapp", "messenger": "messenger"}
_MOST_MEDIA = 20
"""Twice what a message can hold."""


def read_message(form: Mapping[str, str], received: datetime) -> Message:
    """The message. Raises `Unreadable`."""
    sid = form.get("MessageSid") or form.get("SmsMessageSid") or form.get("SmsSid")
    sender = form.get("From", "").strip()
    if not sid or not sender:
        raise Unreadable("a message has MessageSid and From")
    prefix, address = apart(sender)
    channel = _CHANNELS.get(prefix)
    if channel is None:
        raise Unreadable(f"messages of {prefix[:40]!r} are not known here")
    data: JsonObject = {
        "sender_id" if channel == "messenger" else "phone_number": address,
        "message_text": form.get("Body", ""),
        "message_timestamp": moment(received),
        "message_id": sid,
        "to": apart(form.get("To", ""))[1],
        "profile_name": form.get("ProfileName") or None,
        "media": _media(form),
        "in_reply_to": form.get("OriginalRepliedMessageSid") or None,
        "button": _button(form),
        "location": _location(form),
    }
    return Message(channel=channel, id=sid, contact=address, at=received, data=data)


def is_status(form: Mapping[str, str]) -> bool:
    """Whether these parameters tell what became of a message that was sent."""
    return "MessageStatus" in form or form.get("SmsStatus", "received") not in ("received", "receiving", "")


def apart(address: str) -> tuple[str, str]:
    """`whatsapp:+4366412345` as `whatsapp` and the rest; a plain number has an empty first part."""
    prefix, colon, rest = address.strip().partition(":")
    return (prefix.lower(), rest) if colon else ("", address.strip())


def _media(form: Mapping[str, str]) -> list[Json]:
    count = form.get("NumMedia", "0")
    places = range(min(int(count), _MOST_MEDIA)) if count.isascii() and count.isdigit() and len(count) < 4 else range(0)
    return [
        {"url": form[f"MediaUrl{place}"], "content_type": form.get(f"MediaContentType{place}")}
        for place in places
        if f"MediaUrl{place}" in form
    ]


def _button(form: Mapping[str, str]) -> Json:
    if "ButtonPayload" not in form and "ButtonText" not in form:
        return None
    return {"text": form.get("ButtonText"), "payload": form.get("ButtonPayload")}


def _location(form: Mapping[str, str]) -> Json:
    try:
        latitude, longitude = float(form["Latitude"]), float(form["Longitude"])
    except (KeyError, ValueError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    named = {"name": form.get("Label"), "address": form.get("Address")}
    return {"latitude": latitude, "longitude": longitude, **named}
