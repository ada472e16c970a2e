"""Events of forms: what people send, and the forms themselves."""

from app.catalog.events.base import Entity, identity, mapping, text

_SUBMISSION = Entity(
    "form.submission",
    {
        "form_id": identity("Which form it was."),
        "form_name": text("The form's title."),
        "submission_id": identity("Id of the submission."),
        "submitted_at": text("When it came in, RFC 3339."),
        "fields": mapping("What was filled in, by field."),
    },
    {
        "form_id": "contact-us",
        "form_name": "Contact us",
        "submission_id": "01890000-0000-7000-8000-000000000000",
        "submitted_at": "2030-01-31T09:00:00Z",
        "fields": {"name": "Ada", "message": "Please call me."},
    },
)
_FORM = Entity("form.form", {"form_id": identity("Which form it is.")}, {"form_id": "contact-us"})

EVENTS = (
    _SUBMISSION.event("received", "Form sent in", "Somebody filled in a form and sent it."),
    _SUBMISSION.event("processed", "Submission processed", "What was sent in was worked on."),
    _SUBMISSION.event(
        "spam_detected",
        "Spam detected",
        "What was sent in was taken for spam.",
        {"reason": text("Why: `honeypot` is a field that people do not see.")},
        {"reason": "honeypot"},
    ),
    _FORM.event("created", "Form created", "A form was made."),
    _FORM.event("published", "Form published", "A form can be filled in from now on."),
    _FORM.event("unpublished", "Form unpublished", "A form can no longer be filled in."),
)
