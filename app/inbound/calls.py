"""A call as it is put together from what Twilio says about it bit by bit, and when enough of it is known.

A call is told of several times: when it comes in, when the caller has spoken, when the recording is transcribed, and
when it is over. It becomes one event, with all of that. What was heard so far is a JSON object; it only ever grows.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.inbound.message import Message, Unreadable, moment
from app.inbound.twilio import apart
from app.json import JsonObject

ENDED = ("completed", "busy", "failed", "no-answer", "canceled")

FOR_RECORDING = timedelta(seconds=30)
"""A call is over and no recording is known: one may still be told of."""
FOR_END = timedelta(minutes=1)
"""All is said and the call is not over: nobody may have told Twilio to say so."""
FOR_TRANSCRIPT = timedelta(minutes=5)
FOR_ANYTHING = timedelta(minutes=30)

_LONGEST_ID, _LONGEST, _LONGEST_TRANSCRIPT = 64, 2_000, 50_000
"""Characters; Twilio sends no such texts, and one that does not fit into an event could never be told."""

_NOBODY = frozenset({"anonymous", "unavailable", "unknown", "restricted", "private", "blocked"})
_NOBODYS_NUMBERS = frozenset({"+266696687", "+8656696", "+7378742833", "+2562533", "+86282452253"})
"""ANONYMOUS, UNKNOWN, RESTRICTED, BLOCKED and UNAVAILABLE as keys of a telephone, which Twilio gives as numbers."""


def call_id(form: Mapping[str, str]) -> str:
    """The id of the call that is told of. Raises `Unreadable`."""
    sid = form.get("CallSid")
    if not sid or len(sid) > _LONGEST_ID:
        raise Unreadable("what is told of a call has its CallSid")
    return sid


def is_ours(form: Mapping[str, str]) -> bool:
    """Whether somebody called, rather than was called."""
    return not form.get("Direction", "inbound").startswith("outbound")


def heard(form: Mapping[str, str], *, over: bool = False) -> JsonObject:
    """What these parameters add to what is known of the call; `over`: they tell of its status, and may tell its end.

    Only those tell how long it took, so that a status beside what was said ends nothing.
    """
    told: JsonObject = {}
    for name, key in (("From", "caller"), ("To", "to"), ("CallerName", "profile_name"), ("RecordingUrl", "recording")):
        if form.get(name):
            told[key] = form[name][:_LONGEST]
    for name, key in (("CallDuration", "duration"), ("RecordingDuration", "recorded")):
        if (seconds := form.get(name, "")).isdecimal() and len(seconds) < 8:
            told[key] = int(seconds)
    if "SpeechResult" in form:
        told["transcript"] = form["SpeechResult"][:_LONGEST_TRANSCRIPT]
    elif "TranscriptionStatus" in form or "TranscriptionText" in form:
        told["transcript"] = form.get("TranscriptionText", "")[:_LONGEST_TRANSCRIPT]
    if over and form.get("CallStatus") in ENDED:
        told["status"] = form["CallStatus"]
    return told


def patience(known: JsonObject) -> timedelta:
    """How much longer to wait for more about the call; nothing when it is all there."""
    over, said = "status" in known, "transcript" in known
    if over and said:
        return timedelta()
    if said:
        return FOR_END
    if "recording" in known:
        return FOR_TRANSCRIPT
    return FOR_RECORDING if over else FOR_ANYTHING


def read_call(id: str, known: JsonObject, began: datetime) -> Message:
    """The call as a message."""
    caller = apart(known.get("caller", ""))[1]
    contact = None if not caller or caller.lower() in _NOBODY or caller in _NOBODYS_NUMBERS else caller
    data: JsonObject = {
        "caller_number": caller,
        "call_duration": known.get("duration", known.get("recorded", 0)),
        "call_transcript": known.get("transcript", ""),
        "call_status": known.get("status", "completed"),
        "call_timestamp": moment(began),
        "message_id": id,
        "to": apart(known.get("to", ""))[1],
        "profile_name": known.get("profile_name"),
        "recording_url": known.get("recording"),
        "recording_duration": known.get("recorded"),
    }
    return Message(channel="voice", id=id, contact=contact, at=began, data=data)
