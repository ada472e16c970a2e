"""Forms as anybody meets them, without a key: the page, and the same for programs (`application/json`).

An address that is not ours, or no longer leads anywhere, is answered alike whatever is wrong with it.
"""

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.bodies import RequestBody
from api.clients import address_of
from api.dependencies import PlatformDep
from api.forms import fields as form_fields
from api.forms import form_page
from api.forms.answers import field_answers, json_answer
from api.forms.form_page import TRAP
from api.forms.pages import page, posted
from api.headers import idempotency_key
from api.openapi import problem_answers
from api.own_responses import own_response
from api.problems import Refused, places, problem_answer, status_of
from api.reading import read_body, read_json, storable
from api.schemas.forms import FormSchemaAnswer, SubmissionAnswer, SubmissionRequest
from app.json import JsonObject
from app.services import forms
from app.services.errors import Invalid, NotFound, ServiceError, TooMany, Unavailable
from app.services.forms import Form
from app.services.platform import Platform
from app.services.validation import validated

router = APIRouter(prefix="/forms", tags=["forms"])

JSON_TYPE = "application/json"
SUBMISSION = RequestBody(SubmissionRequest)
_PROBLEMS = {status: told for status, told in problem_answers(400, 404, 413, 415, 429).items() if status != 401}

logger = logging.getLogger(__name__)


def _with_page(told: JsonObject) -> JsonObject:
    """The same answer, which browsers get as a page."""
    return {**told, "content": {**told["content"], "text/html": {"schema": {"type": "string"}}}}


@router.get("/{token}", include_in_schema=False)
async def show(token: str, request: Request, platform: PlatformDep) -> Response:
    """The form, with what the address says for its fields; or that it is closed."""

    async def answering() -> Response:
        form = await forms.by_token(platform, token)
        if not form.open:
            return form_page.closed(form)
        query = request.query_params
        said = {name: [text for text in query.getlist(name) if storable(text)] for name in query}
        return form_page.show(form, said)

    return await _told(answering)


@router.get("/{token}/thanks", include_in_schema=False)
async def thanks(token: str, request: Request, platform: PlatformDep) -> Response:
    """What people are led to when they have sent it: to load this again sends nothing again."""

    async def answering() -> Response:
        form = await forms.by_token(platform, token)
        sent = _uuid(request.query_params.get("submission", ""))
        if sent is None or not forms.is_of_page(sent) or form.trigger.respond == "at_once":
            return form_page.thanks(form)
        run = await forms.answered(platform, form, sent)
        return form_page.thanks(form, None if run is None or run.response is None else run.response["body"])

    return await _told(answering)


@router.post(
    "/{token}",
    status_code=202,
    response_model=SubmissionAnswer,
    summary="Send a form",
    openapi_extra=SUBMISSION.openapi,
    responses={
        **{status: _with_page(told) for status, told in _PROBLEMS.items()},
        410: {"description": "The form is closed"},
        "default": {"description": "What a `respond` step says, where the form leaves the answer to one"},
    },
)
async def send(token: str, request: Request, platform: PlatformDep) -> Response:
    """Takes a submission, without a key. It is kept before the answer leaves: what it starts is started even if this
    server dies now. With an `Idempotency-Key` a repeat answers with what the first one did. A browser sends the page
    itself here, as a form, and is led on (303) or shown what is wrong (422)."""
    if _media_type(request) == JSON_TYPE:
        return await _for_programs(token, request, platform, _taken_as_json)

    async def answering() -> Response:
        form = await forms.by_token(platform, token)
        return await _taken(platform, form, request) if form.open else form_page.closed(form)

    return await _told(answering)


@router.get(
    "/{token}/schema",
    response_model=FormSchemaAnswer,
    summary="Get what a form asks",
    responses={status: _PROBLEMS[status] for status in (404, 422, 503)},
)
async def schema(token: str, request: Request, platform: PlatformDep) -> Response:
    """What the form asks, without a key, for pages that draw it themselves."""

    async def answering(platform: Platform, form: Form, _request: Request) -> Response:
        trigger = form.trigger
        found = FormSchemaAnswer(
            form_id=form.form_id,
            title=form.title,
            description=trigger.description,
            submit_label=trigger.submit_label,
            language=trigger.language,
            open=form.open,
            json_schema=trigger.fields,
            fields=field_answers(form),
            trap=TRAP,
        )
        return json_answer(found)

    return await _for_programs(token, request, platform, answering)


@router.options("/{token}", include_in_schema=False)
@router.options("/{token}/schema", include_in_schema=False)
async def preflight(token: str, request: Request, platform: PlatformDep) -> Response:
    """Whether a page of another website may send (Fetch, CORS): only of those the form names."""

    async def answering(platform: Platform, form: Form, _request: Request) -> Response:
        return Response(status_code=204, headers={"Allow": "GET, POST, OPTIONS"})

    return await _for_programs(token, request, platform, answering)


async def _taken(platform: Platform, form: Form, request: Request) -> Response:
    await forms.let_in(platform, form, address_of(request, platform) or "")
    sent = await posted(request, platform.settings.max_body_bytes)
    fields, once = form_fields.filled(form_page.fields_of(form), sent), form_page.shown(sent)
    said, unread = form_fields.read(fields)
    if form_page.is_trapped(sent):
        await forms.keep_spam(platform, form, said, forms.one_time(once, said))
        return _led_on(form, request, once)
    try:
        if unread:
            raise Invalid("invalid_submission", "", unread)
        taken = await forms.submit(platform, form, said, forms.one_time(once, said))
    except Invalid as error:
        logger.info("a submission to form %s is shown again: %s", form.form_id, places(error.problems))
        return form_page.show_again(form, fields, once, error.problems)
    return _led_on(form, request, taken.id)


def _led_on(form: Form, request: Request, sent: UUID) -> Response:
    """To another address (303), so that loading the page again sends nothing again."""
    # From the page's own place: what stands before it is known to the proxy alone.
    place = form.trigger.redirect_to or f"{request.path_params['token']}/thanks?submission={sent}"
    return RedirectResponse(place, status_code=303, headers={"Cache-Control": "no-store"})


async def _taken_as_json(platform: Platform, form: Form, request: Request) -> Response:
    if not form.open:
        raise Refused(410, "form_closed", f'The form "{form.title}" takes nothing now: its workflow is not active.')
    await forms.let_in(platform, form, address_of(request, platform) or "")
    key = await idempotency_key(request.headers.get("Idempotency-Key"))
    data = read_json(await read_body(request, platform.settings.max_body_bytes))
    body = validated(SubmissionRequest, data, code="invalid_request", subject="The body")
    submission_id = uuid4() if key is None else forms.keyed(form, key)
    if body.contact_me_by_fax.strip():
        kept = await forms.keep_spam(platform, form, body.fields, submission_id)
        return json_answer(SubmissionAnswer(submission_id=kept, run_id=None), 202)
    taken = await forms.submit(platform, form, body.fields, submission_id)
    if form.trigger.respond == "by_step":
        run = await forms.answered(platform, form, taken.id)
        if run is not None and run.response is not None:
            return own_response(run, {"Cache-Control": "no-store"})
    return json_answer(SubmissionAnswer(submission_id=taken.id, run_id=taken.run_id), 202)


async def _for_programs(
    token: str,
    request: Request,
    platform: Platform,
    answering: Callable[[Platform, Form, Request], Awaitable[Response]],
) -> Response:
    """The answer, or a problem document, which the pages of websites the form names may read."""
    form = await forms.by_token(platform, token)
    answer: Response
    try:
        answer = await answering(platform, form, request)
    except (ServiceError, Refused) as error:
        answer = await problem_answer(request, error)
    answer.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin", "")
    if origin in form.trigger.allowed_origins:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-Id"
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST"
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
            answer.headers["Access-Control-Max-Age"] = "600"
    return answer


async def _told(answering: Callable[[], Awaitable[Response]]) -> Response:
    """The page, or one that says in plain words why there is none."""
    try:
        return await answering()
    except NotFound as error:
        logger.info("a form is asked for that is not there: %s", error.code)
        lines = ["The address may have been copied only in part, or the form is gone."]
        return page(404, "There is no form here", lines)
    except TooMany as error:
        logger.info("a submission is refused: %s", error.code)
        line = "What you filled in was not taken. Go back and send it again in a moment."
        return _later(page(429, "Too much was sent from here", [line]), error.retry_after)
    except Unavailable as error:
        logger.warning("a form cannot be taken: %s", error.detail)
        line = "Go back and send it again in a moment. It counts once, however often you send it."
        return _later(page(503, "This cannot be done right now", [line]), 5)
    except (Refused, ServiceError) as error:
        status = error.status if isinstance(error, Refused) else status_of(error)
        logger.info("a submission is refused: %s", error.code)
        if status == 413:
            return page(413, "This is too much", ["Nothing was taken. Go back and send less."])
        return page(status, "This could not be read", ["Nothing was taken. Open the form again and send it there."])


def _later(answer: HTMLResponse, seconds: int) -> HTMLResponse:
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _media_type(request: Request) -> str:
    """As it is said: a browser asks nobody whether it may send a type that another website's page left out."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
