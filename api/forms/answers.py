"""Forms as the API answers with them. Nothing is decided here."""

from starlette.responses import JSONResponse

from api.forms.fields import FormField
from api.forms.form_page import fields_of
from api.schemas.base import Answer
from api.schemas.forms import ChoiceAnswer, FormAnswer, FormFieldAnswer
from app.services.forms import Form
from app.settings import Settings


def form_answer(form: Form, settings: Settings) -> FormAnswer:
    """A form, with where people find it."""
    return FormAnswer(
        form_id=form.form_id,
        title=form.title,
        address=form.address(settings),
        position=form.position,
        active=form.open,
        json_schema=form.trigger.fields,
        fields=field_answers(form),
    )


def field_answers(form: Form) -> list[FormFieldAnswer]:
    """The fields as a page draws them."""
    return [_field(each) for each in fields_of(form)]


def json_answer(answer: Answer, status: int = 200) -> JSONResponse:
    """An answer as a response, for those who decide about headers themselves."""
    content = answer.model_dump(mode="json", by_alias=True)
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})


def _field(each: FormField) -> FormFieldAnswer:
    pairs = zip(each.choices, each.options, strict=True)
    choices = [ChoiceAnswer(value=value, label=label) for value, label in pairs]
    return FormFieldAnswer(
        name=each.name,
        key=each.key,
        label=each.label,
        hint=each.hint,
        kind=each.kind,
        required=each.required,
        choices=choices or None,
        autocomplete=each.autocomplete or None,
    )
