"""TwiML: what Twilio is told to do, as XML. What is to be said or asked is decided elsewhere.

`<Record transcribe>` understands English alone; for any other language the caller's speech is recognised by `<Gather>`
while it is spoken, and no recording is kept (Twilio's documents of both verbs).
"""

import json
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from app.json import Json

MEDIA_TYPE = "text/xml"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>'

_MESSAGE_CHARS = 1600
"""Most a `<Message>` may have; a longer answer goes as several."""
_XML = ("text/xml", "application/xml")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def answer(body: Json, headers: Mapping[str, Json]) -> str:
    """The answer that sends this body, or that is TwiML where the headers say so. The body itself cannot: it may hold
    what a stranger wrote."""
    said = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    kind = said.partition(";")[0].strip().lower() if isinstance(said, str) else ""
    return body if kind in _XML and isinstance(body, str) else messages(body)


def messages(body: Json) -> str:
    """The answer that sends this: a text, or JSON as text."""
    if body is None or body == "":
        return EMPTY
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    parts = [text[start : start + _MESSAGE_CHARS] for start in range(0, len(text), _MESSAGE_CHARS)]
    return _response("".join(f"<Message>{_text(part)}</Message>" for part in parts))


def listen(*, greeting: str, language: str, max_seconds: int, said: str, transcript: str) -> str:
    """Greet a caller and take down what they say; `said` and `transcript` are the addresses that hear of it."""
    say = f"<Say{_attributes({'language': language})}>{_text(greeting)}</Say>"
    if language.partition("-")[0] == "en":
        record = {
            "action": said,
            "method": "POST",
            "maxLength": str(max_seconds),
            "transcribe": "true",
            "transcribeCallback": transcript,
        }
        return _response(f"{say}<Record{_attributes(record)}/><Hangup/>")
    gather = {
        "input": "speech",
        "action": said,
        "method": "POST",
        "language": language,
        "speechTimeout": "auto",
        "actionOnEmptyResult": "true",
    }
    return _response(f"<Gather{_attributes(gather)}>{say}</Gather><Hangup/>")


def _response(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_NO_XML.sub('', value))}" for name, value in values.items())


def _text(value: str) -> str:
    return escape(_NO_XML.sub("", value))
