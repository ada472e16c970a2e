"""The pages of a form trigger: the form itself, thanks for what was sent, and why nothing can be sent."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from starlette.responses import HTMLResponse

from api.forms import fields as form_fields
from api.forms import theme
from api.forms.fields import FormField
from api.forms.pages import Posted, last, rendered, told
from app.definition.problems import Problem
from app.json import Json
from app.services.forms import Form

TRAP = "contact_me_by_fax"
"""A field people do not see, in words a program takes for one of the form's."""
THANKS = "Thank you. What you sent has arrived."


def fields_of(form: Form) -> list[FormField]:
    """The form's fields, each with its default."""
    return form_fields.fields_of(form.trigger.fields, root="fields", order=form.trigger.order)


def show(form: Form, said: Posted) -> HTMLResponse:
    """The form, to be sent once, with what its address says for its fields."""
    return _form(form, form_fields.prefilled(fields_of(form), said), uuid4())


def show_again(form: Form, fields: Sequence[FormField], shown: UUID, problems: Sequence[Problem] = ()) -> HTMLResponse:
    """The form as it was filled in, with what is wrong beside each field."""
    marked, left = form_fields.with_problems(fields, problems)
    return _form(form, marked, shown, left, status=422)


def shown(sent: Posted) -> UUID:
    """Which of the times the page was shown this was sent from; a new one where that cannot be read."""
    try:
        return UUID(last(sent, "submission"))
    except ValueError:
        return uuid4()


def is_trapped(sent: Posted) -> bool:
    """Whether the field was filled in that people do not see."""
    return bool(last(sent, TRAP).strip())


def thanks(form: Form, said: Json = None) -> HTMLResponse:
    """What people read when they have sent it: what the run said, if that is a text."""
    told = said if isinstance(said, str) and said.strip() else form.trigger.thank_you or THANKS
    return _rendered(form, "thanks.html", 200, thank_you=told)


def closed(form: Form) -> HTMLResponse:
    """The form takes nothing now."""
    line = "This form is closed: nothing can be sent now."
    return _rendered(form, "thanks.html", 410, thank_you=line)


def _form(
    form: Form, fields: Sequence[FormField], once: UUID, left: Sequence[Problem] = (), *, status: int = 200
) -> HTMLResponse:
    return _rendered(
        form,
        "form.html",
        status,
        description=form.trigger.description,
        submit_label=form.trigger.submit_label,
        submission=str(once),
        trap=TRAP,
        fields=fields,
        errors=told(fields, left),
    )


def _rendered(form: Form, template: str, status: int, **values: Any) -> HTMLResponse:
    trigger = form.trigger
    return rendered(
        template,
        status,
        theme=theme.css(trigger.theme),
        image_from=_origin(trigger.theme.logo_url),
        leads_on=trigger.redirect_to is not None,
        framed_by=trigger.allowed_origins,
        title=form.title,
        language=trigger.language,
        logo=trigger.theme.logo_url,
        **values,
    )


def _origin(address: str | None) -> str:
    return f"https://{urlsplit(address).netloc}" if address else ""
