"""What Meta's webhooks say about messages: those of Messenger and those of WhatsApp's Cloud API, many in one request.

Shapes: "Messenger Platform, Webhook Events", and "WhatsApp Cloud API, Webhooks". Only what somebody wrote is one.
Echoes of what was sent, deliveries, read receipts, statuses and reactions are passed over, and so is what is not known
here: whoever answers Meta with an error gets the whole request again and again.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from app.inbound.message import Message, Unreadable, digest, moment
from app.json import Json, JsonObject

_FULL_CIRCLE = 360
_MEDIA = ("image", "audio", "video", "document", "sticker")


def read_messenger(body: Json, page_id: str, received: datetime) -> list[Message]:
    """The messages to this page. Raises `Unreadable` for a body of another product."""
    found: list[Message] = []
    for entry in _entries(body, "page"):
        if str(entry.get("id")) != page_id:
            continue
        found += [each for item in _objects(entry, "messaging") if (each := _messenger(item, page_id, received))]
    return found


def read_whatsapp(body: Json, phone_number_id: str, received: datetime) -> list[Message]:
    """The messages to this number. Raises `Unreadable` for a body of another product."""
    found: list[Message] = []
    for entry in _entries(body, "whatsapp_business_account"):
        for change in _objects(entry, "changes"):
            value = _object(change.get("value"))
            metadata = _object(value.get("metadata"))
            if change.get("field") != "messages" or str(metadata.get("phone_number_id")) != phone_number_id:
                continue
            names = {
                str(contact.get("wa_id")): _text(_object(contact.get("profile")).get("name"))
                for contact in _objects(value, "contacts")
            }
            to = _number(_text(metadata.get("display_phone_number")) or "")
            found += [each for item in _objects(value, "messages") if (each := _whatsapp(item, names, to, received))]
    return found


def told_of(body: Json) -> set[str]:
    """The pages and numbers that the body tells of, by their ids; an address that is entered for one gets all."""
    found: set[str] = set()
    for entry in _objects(_object(body), "entry"):
        if _object(body).get("object") == "page":
            found.add(str(entry.get("id"))[:40])
        for change in _objects(entry, "changes"):
            number = _object(_object(change.get("value")).get("metadata")).get("phone_number_id")
            found |= {str(number)[:40]} if number else set()
    return found


def _messenger(item: JsonObject, page_id: str, received: datetime) -> Message | None:
    sender = _text(_object(item.get("sender")).get("id"))
    message, postback = _object(item.get("message")), _object(item.get("postback"))
    told = message or postback
    if not sender or sender == page_id or not told or message.get("is_echo") or message.get("is_deleted"):
        return None
    at = _moment(item.get("timestamp"), received, per_second=1000)
    reply = _object(message.get("quick_reply"))
    bare = f"{sender} {item.get('timestamp')} {postback.get('payload')}"
    id = _text(told.get("mid")) or digest(bare.encode(errors="replace"))
    data: JsonObject = {
        "sender_id": sender,
        "message_text": _text(message.get("text")) or _text(postback.get("title")) or "",
        "message_timestamp": moment(at),
        "message_id": id,
        "to": _text(_object(item.get("recipient")).get("id")) or page_id,
        "profile_name": None,
        "media": [
            {"type": _text(each.get("type")), "url": _text(_object(each.get("payload")).get("url"))}
            for each in _objects(message, "attachments")
        ],
        "in_reply_to": _text(_object(message.get("reply_to")).get("mid")),
        "button": None,
    }
    if postback or reply:
        data["button"] = {
            "text": _text(postback.get("title")) or _text(message.get("text")),
            "payload": _text(postback.get("payload")) or _text(reply.get("payload")),
        }
    return Message(channel="messenger", id=id, contact=sender, at=at, data=data)


def _whatsapp(item: JsonObject, names: Mapping[str, str | None], to: str, received: datetime) -> Message | None:
    sender, id, kind = _text(item.get("from")), _text(item.get("id")), _text(item.get("type")) or "text"
    if not sender or not id or kind in ("reaction", "system"):
        return None
    at = _moment(item.get("timestamp"), received, per_second=1)
    part = _object(item.get(kind))
    number = _number(sender)
    data: JsonObject = {
        "phone_number": number,
        "message_text": _words(kind, part),
        "message_timestamp": moment(at),
        "message_id": id,
        "message_type": kind,
        "to": to,
        "profile_name": names.get(sender),
        "media": [_media(kind, part)] if kind in _MEDIA else [],
        "in_reply_to": _text(_object(item.get("context")).get("id")),
        "button": _button(kind, part),
        "location": _location(part) if kind == "location" else None,
    }
    return Message(channel="whatsapp", id=id, contact=number, at=at, data=data)


def _words(kind: str, part: JsonObject) -> str:
    """What somebody said with the message, whatever its kind: words, a caption, the name of a button."""
    if kind == "interactive":
        chosen = _chosen(part)
        return _text(chosen.get("title")) or _text(chosen.get("body")) or ""
    key = {"text": "body", "button": "text"}.get(kind, "caption")
    return _text(part.get(key)) or ""


def _button(kind: str, part: JsonObject) -> Json:
    if kind == "button":
        return {"text": _text(part.get("text")), "payload": _text(part.get("payload"))}
    if kind == "interactive":
        chosen = _chosen(part)
        payload = _text(chosen.get("id")) or _text(chosen.get("response_json"))
        return {"text": _text(chosen.get("title")) or _text(chosen.get("name")), "payload": payload}
    return None


def _chosen(part: JsonObject) -> JsonObject:
    """The button, the row of a list, or the answers of a flow (`response_json`)."""
    replies = (_object(part.get(name)) for name in ("button_reply", "list_reply", "nfm_reply"))
    return next((reply for reply in replies if reply), {})


def _location(part: JsonObject) -> JsonObject:
    numbers: JsonObject = {name: _finite(part.get(name)) for name in ("latitude", "longitude")}
    return {**numbers, "name": _text(part.get("name")), "address": _text(part.get("address"))}


def _media(kind: str, part: JsonObject) -> JsonObject:
    """The file as the Cloud API names it: its content is asked for by `id`, with the connection's token."""
    return {
        "type": kind,
        "id": _text(part.get("id")),
        "content_type": _text(part.get("mime_type")),
        "name": _text(part.get("filename")),
        "url": _text(part.get("url")),
    }


def _entries(body: Json, product: str) -> Iterator[JsonObject]:
    if not isinstance(body, dict) or body.get("object") != product:
        raise Unreadable(f"the body's object is not {product}")
    return _objects(body, "entry")


def _objects(holder: JsonObject, key: str) -> Iterator[JsonObject]:
    value = holder.get(key)
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _finite(value: Json) -> Json:
    return value if isinstance(value, int | float) and abs(value) <= _FULL_CIRCLE else None


def _number(digits: str) -> str:
    """A number as E.164 has it; the Cloud API leaves the plus out and may put spaces in."""
    bare = "".join(character for character in digits if character.isascii() and character.isdigit())
    return f"+{bare}" if bare else digits


def _moment(value: Json, received: datetime, *, per_second: int) -> datetime:
    try:
        return datetime.fromtimestamp(int(value) / per_second, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return received
