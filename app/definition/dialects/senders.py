"""Who said what, by what starts a run: the names message events have for it. Expressions over one flat context."""

from collections.abc import Sequence

_TEXTS = {
    "whatsapp": "message_text",
    "sms": "message_text",
    "messenger": "message_text",
    "email": "email_body",
    "voice": "call_transcript",
}
"""What a person said, by what the trigger is."""
_WRITERS = {
    "whatsapp": "phone_number",
    "sms": "phone_number",
    "voice": "caller_number",
    "messenger": "event.subject",
}
"""Who said it, where that is no e-mail address."""


def asked(types: Sequence[str]) -> str:
    """What an agent is asked that says no question: the text that came in, by what starts the run."""
    names = list(dict.fromkeys(_TEXTS.get(each, "message_text") for each in types))
    if len(names) == 1 and all(each in _TEXTS for each in types):
        return names[0]
    said = "''"
    for name in reversed(names):
        said = f"{name} | default({said})"
    return said


def writer(types: Sequence[str]) -> str:
    """Who is meant by `recipient: trigger`, by what starts the run."""
    names = list(dict.fromkeys(_WRITERS[each] for each in types if each in _WRITERS)) or ["phone_number"]
    said = names[-1]
    for name in reversed(names[:-1]):
        said = f"{name} | default({said})"
    return said
