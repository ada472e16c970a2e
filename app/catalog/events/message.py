"""Events of incoming messages, one type for each channel. The event's subject is the sender's address."""

from app.catalog.events.base import EventType, identity, number, text

_WRITTEN = {
    "message_text": text("What was written."),
    "message_timestamp": text("When it was written, RFC 3339."),
    "message_id": identity("The provider's id of the message."),
}
_WRITTEN_EXAMPLE = {
    "message_text": "Yes, please.",
    "message_timestamp": "2030-01-31T09:00:00Z",
    "message_id": "m-1",
}
_BY_NUMBER = {"phone_number": identity("Who wrote, in E.164."), **_WRITTEN}
_BY_NUMBER_EXAMPLE = {"phone_number": "+442079460123", **_WRITTEN_EXAMPLE}

EVENTS = (
    EventType(
        id="message.whatsapp.received",
        title="WhatsApp message received",
        description="Somebody wrote by WhatsApp.",
        fields=_BY_NUMBER,
        example=_BY_NUMBER_EXAMPLE,
    ),
    EventType(
        id="message.sms.received",
        title="SMS received",
        description="Somebody sent a text message.",
        fields=_BY_NUMBER,
        example=_BY_NUMBER_EXAMPLE,
    ),
    EventType(
        id="message.email.received",
        title="E-mail received",
        description="Somebody wrote an e-mail.",
        fields={
            "email_from": identity("Who wrote."),
            "email_subject": text("The subject."),
            "email_body": text("The text."),
            "email_timestamp": text("When it was sent, RFC 3339."),
        },
        example={
            "email_from": "ada@example.com",
            "email_subject": "Your offer",
            "email_body": "Yes, please.",
            "email_timestamp": "2030-01-31T09:00:00Z",
        },
    ),
    EventType(
        id="message.voice.received",
        title="Call received",
        description="Somebody called.",
        fields={
            "caller_number": identity("Who called, in E.164."),
            "call_duration": number("How long the call was, in seconds."),
            "call_transcript": text("What was said."),
        },
        example={"caller_number": "+442079460123", "call_duration": 42, "call_transcript": "Please call me back."},
    ),
    EventType(
        id="message.messenger.received",
        title="Messenger message received",
        description="Somebody wrote by Messenger.",
        fields={"sender_id": identity("Who wrote, as the page knows them."), **_WRITTEN},
        example={"sender_id": "9876543210", **_WRITTEN_EXAMPLE},
    ),
)
