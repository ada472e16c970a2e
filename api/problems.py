"""Every error as `application/problem+json` (RFC 9457): the one place that turns what was refused into an answer.

Services raise their own small tree and know no HTTP; the table here says which status each of its branches has.
"""

import http
import logging
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from api.problem_pages import PROBLEM_PAGES
from app.definition.problems import Problem
from app.json import JsonObject
from app.services import errors
from app.services.platform import Platform

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

logger = logging.getLogger(__name__)

_STATUS: Mapping[type[errors.ServiceError], int] = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.Invalid: 422,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Unavailable: 503,
}
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": 'Bearer realm="holdfast"'},
    # The rest of a body that is not waited for must not be read as a request.
    408: {"Connection": "close"},
    503: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}
LOGGED_PLACES = 10
LONGEST_PLACE = 100
LONGEST_LOGGED = 300
"""Characters of a path."""
LONGEST_TEXT = 2_000
LONGEST_DETAIL = 20_000
_SECRET_PATHS = ("/approvals/", "/hooks/", "/messages/", "/oauth/begin/")
_CODE_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def _short(text: str, longest: int) -> str:
    """What a caller sent is repeated as far as it helps: names in it may be megabytes."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


class Refused(Exception):
    """The request cannot be taken as it was sent (HTTP's side of a refusal; services raise `ServiceError`)."""

    def __init__(self, status: int, code: str, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.problems = list(problems)


def document(request_id: str, status: int, code: str, detail: str, problems: Sequence[Problem] = ()) -> JsonObject:
    """A problem document as JSON."""
    page = PROBLEM_PAGES.get(code)
    return {
        "type": f"/problems/{code}",
        "title": page.title if page else http.HTTPStatus(status).phrase,
        "status": status,
        "detail": _short(detail, LONGEST_DETAIL),
        "code": code,
        "errors": [
            {name: _short(text, LONGEST_TEXT) for name, text in problem.as_json().items()} for problem in problems
        ],
        "request_id": request_id,
    }


def answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response, with the headers its status asks for. The log has what was refused and at which
    places it was wrong, without the values that stood there."""
    request_id = getattr(request.state, "request_id", "")
    _count(request, status, code)
    said = (request.method, shown(request.url.path), status, code, places(problems), request_id)
    logger.info("%s %r: %d %s %s (request %s)", *said)
    return JSONResponse(
        document(request_id, status, code, detail, problems),
        status_code=status,
        headers={**_HEADERS.get(status, {}), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _count(request: Request, status: int, code: str) -> None:
    platform: Platform | None = getattr(request.app.state, "platform", None)
    if platform is not None and status in (401, 429):
        metrics = platform.observing.metrics
        (metrics.signin_failures if status == 401 else metrics.rate_limited).labels(code).inc()


def install(app: FastAPI) -> None:
    """Let every error of `app` leave as a problem document."""
    app.exception_handler(errors.ServiceError)(_service_error)
    app.exception_handler(Refused)(_refused)
    app.exception_handler(RequestValidationError)(_invalid_parameters)
    app.exception_handler(HTTPException)(_http_error)


def status_of(error: errors.ServiceError) -> int:
    """The HTTP status of what a service refuses; 500 for what is none of its branches."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


async def problem_answer(request: Request, error: errors.ServiceError | Refused) -> JSONResponse:
    """What would be answered if this left the route, for routes that add to it."""
    return await (_refused(request, error) if isinstance(error, Refused) else _service_error(request, error))


def shown(path: str) -> str:
    """The path as a log may have it: the rest of some addresses is what opens them, however many slashes come first."""
    plain = f"/{path.lstrip('/')}"
    secret = next((start for start in _SECRET_PATHS if plain.startswith(start)), None)
    return _short(path, LONGEST_LOGGED) if secret is None else f"{secret}..."


def places(problems: Sequence[Problem]) -> list[str]:
    """Where something is wrong, as a log may have it: names in there are whatever somebody sent."""
    return [problem.path[:LONGEST_PLACE] for problem in problems[:LOGGED_PLACES]]


async def _service_error(request: Request, error: errors.ServiceError) -> JSONResponse:
    status = status_of(error)
    if status == 503:
        logger.warning("%s %s: %s (%r)", request.method, shown(request.url.path), error.detail, error.__cause__)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooMany) else None
    if isinstance(error, errors.Unauthenticated) and error.code != "missing_api_key":
        headers = {"WWW-Authenticate": f'{_HEADERS[401]["WWW-Authenticate"]}, error="invalid_token"'}  # RFC 6750, 3.
    return answer(request, status, error.code, error.detail, problems=error.problems, headers=headers)


async def _refused(request: Request, error: Refused) -> JSONResponse:
    return answer(request, error.status, error.code, error.detail, problems=error.problems)


async def _invalid_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = [Problem(_place(found["loc"]), found["msg"]) for found in error.errors()]
    detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
    return answer(request, 422, "invalid_request", detail, problems=problems)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    status = error.status_code
    detail = str(error.detail)
    if status == 404:
        detail = f"Nothing is served at {request.url.path}; /docs lists what is."
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = _allowed(request)
        detail = f"{request.url.path} takes {headers['Allow']}, not {request.method}."
    return answer(request, status, _CODE_OF_STATUS.get(status, "bad_request"), detail, headers=headers)


def _allowed(request: Request) -> str:
    """All methods the address takes (RFC 9110, 10.2.1); the router only names those of the first route that fits it."""
    routes = request.app.router.routes
    fitting = (
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    )
    return ", ".join(fitting)


def _place(location: Sequence[str | int]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
