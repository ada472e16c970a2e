"""`http.request`: from inputs and connection to one request, from its answer to the step's output."""

import base64
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from multidict import CIMultiDict
from pydantic import ValidationError
from yarl import URL

from activities.base import ActionError, Invocation, action
from activities.bodies import encode_form, encode_json, pairs, read_body
from activities.exchange import call_provider
from activities.http_client import HttpAnswer, HttpError, parse_url, shown
from activities.masking import mask_request
from app.catalog.errors import ErrorType
from app.catalog.http_connections import HttpConfig, HttpCredentials, OAuthConfig
from app.catalog.web import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    HttpRequestInputs,
    HttpRequestOutputs,
    status_ranges,
)
from app.definition.durations import parse
from app.definition.paths import lookup, parse_path
from app.json import Json
from app.services.connections import ResolvedConnection

_ACCEPT = "application/json, */*;q=0.8"


@action("http.request", mask=mask_request)
async def http_request(call: Invocation[HttpRequestInputs]) -> HttpRequestOutputs:
    """Make the request; raises `ActionError` when it fails or its status does not count as success."""
    answer = await _asked(call)
    return _outputs(call.inputs, answer)


async def _asked(call: Invocation[HttpRequestInputs]) -> HttpAnswer:
    """The answer; to a second request with another access token where the provider refuses the first one's."""
    token_goes_along = call.inputs.auth is None and _target(call)[2] is not None
    if call.renew is None or not token_goes_along:
        return await _request(call)
    try:
        answer = await _request(call)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
    except ActionError as error:
        if error.provider_code != str(HTTPStatus.UNAUTHORIZED.value):
            raise
    return await _request(replace(call, connection=await call.renew(), renew=None))


async def _request(call: Invocation[HttpRequestInputs]) -> HttpAnswer:
    inputs = call.inputs
    url, headers, auth = _target(call)
    params = pairs(inputs.query)
    if isinstance(auth, ApiKeyAuth) and auth.in_ == "query":
        params.append((auth.name, auth.value))
    data, content_type = _body(inputs)
    if content_type:
        headers.setdefault("Content-Type", content_type)
    return await call_provider(
        call,
        inputs.method,
        url,
        headers=headers,
        params=params,
        data=data,
        timeout=_seconds(inputs.timeout),
        max_bytes=inputs.max_response_bytes,
        allow_redirects=inputs.follow_redirects,
        success=status_ranges(inputs.success_status),
        secrets=secrets_of(auth),
    )


def _target(call: Invocation[HttpRequestInputs]) -> tuple[str, CIMultiDict[str], Auth | None]:
    """URL, headers and credentials. A connection's headers and credentials go to the origin of its base URL alone."""
    inputs = call.inputs
    headers: CIMultiDict[str] = CIMultiDict({"Accept": _ACCEPT})
    auth = inputs.auth
    url = inputs.url.strip()
    if call.connection is not None:
        config, credentials = _connection(call.connection)
        url = joined(config.base_url, url)
        if _origin(url) == _origin(config.base_url):
            headers.update(config.headers)
            auth = auth or credentials.as_auth()
    elif "://" not in url.partition("?")[0]:
        raise ActionError(
            ErrorType.INVALID_URL,
            f"{shown(url)!r} is not an absolute URL; begin it with https:// or name an http connection with a base_url",
        )
    headers.update(auth_headers(auth))
    headers.update(inputs.headers)
    return url, headers, auth


def _connection(connection: ResolvedConnection) -> tuple[HttpConfig, HttpCredentials]:
    kind = OAuthConfig if connection.kind == "oauth2" else HttpConfig
    try:
        return kind.model_validate(connection.config), HttpCredentials.model_validate(connection.credentials)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise ActionError(
            ErrorType.CONNECTION_INVALID, f"the connection {connection.name!r} is not usable: {problem['msg']}"
        ) from error


def joined(base: str, url: str) -> str:
    """A path below the base URL, or an absolute URL as it is. Text that is no path cannot change the base's origin."""
    if "://" in url.partition("?")[0]:
        return url
    if url.startswith("?"):
        return base + url
    return f"{base.rstrip('/')}/{url.lstrip('/')}"


def _origin(url: str) -> URL:
    try:
        return parse_url(url).origin()
    except HttpError as error:
        raise ActionError(error.type, error.message) from error


def auth_headers(auth: Auth | None) -> dict[str, str]:
    """The headers that carry credentials."""
    if isinstance(auth, BasicAuth):
        return {"Authorization": f"Basic {base64.b64encode(f'{auth.username}:{auth.password}'.encode()).decode()}"}
    if isinstance(auth, BearerAuth):
        return {"Authorization": f"Bearer {auth.token}"}
    if isinstance(auth, ApiKeyAuth) and auth.in_ == "header":
        return {auth.name: auth.value}
    return {}


def secrets_of(auth: Auth | None) -> list[str]:
    """What of credentials must not be shown."""
    if isinstance(auth, BasicAuth):
        return [auth.password]
    if isinstance(auth, BearerAuth):
        return [auth.token]
    return [auth.value] if isinstance(auth, ApiKeyAuth) else []


def _body(inputs: HttpRequestInputs) -> tuple[bytes | None, str | None]:
    """The body's bytes and content type; the models see to it that there is at most one body."""
    given = inputs.bodies()
    if given["json"]:
        try:
            return encode_json(inputs.json_), "application/json"
        except ValueError as error:
            raise ActionError(ErrorType.INVALID_INPUT, f"json cannot be written as JSON: {error}") from error
    if inputs.form is not None:
        return encode_form(inputs.form), "application/x-www-form-urlencoded"
    if inputs.body is not None:
        return inputs.body.encode("utf-8", "replace"), inputs.content_type or "text/plain; charset=utf-8"
    return None, None


def _seconds(timeout: str | None) -> float | None:
    if timeout is None:
        return None
    try:
        seconds = parse(timeout).total_seconds()
    except ValueError as error:
        raise ActionError(ErrorType.INVALID_INPUT, f"timeout: {error}") from error
    if not seconds:
        raise ActionError(ErrorType.INVALID_INPUT, "timeout: no request can be made in no time")
    return seconds


def _outputs(inputs: HttpRequestInputs, answer: HttpAnswer) -> HttpRequestOutputs:
    body = read_body(answer.headers.get("content-type", ""), answer.body)
    whole: dict[str, Any] = {"status_code": answer.status, "headers": answer.headers, "body": body}
    mapped: dict[str, Json] = {}
    for name, path in inputs.response_mapping.items():
        try:
            mapped[name] = lookup(whole, _answer_path(path))
        except ValueError as error:
            raise ActionError(
                ErrorType.RESPONSE_MAPPING, f"response_mapping.{name}: {path!r} leads nowhere: {error}"
            ) from error
    return HttpRequestOutputs(**whole, duration_ms=answer.duration_ms, mapped=mapped)


def _answer_path(path: str) -> tuple[str | int, ...]:
    parts = parse_path(path)
    # Header names have no case; the answer's are in lower case.
    return tuple(str(part).lower() for part in parts) if parts[0] == "headers" else parts
