"""How every action calls a provider over HTTP: the idempotency key it sends, and what an answer means for its step.

The rule for answers is the language's: 5xx, 408, 425 and 429 may end better later, other 4xx do not. Which URL, headers
and body, and what the answer holds, is the action's.
"""

import email.utils
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from multidict import CIMultiDict

from activities.base import ActionError, Invocation
from activities.bodies import excerpt
from activities.http_client import HttpAnswer, HttpError, shown
from app.catalog.errors import ErrorType
from app.security.masking import Mask, aside

IDEMPOTENCY_KEY = "Idempotency-Key"
SUCCESS = (range(200, 300),)

_TYPES = {
    401: ErrorType.PROVIDER_AUTH,
    403: ErrorType.PROVIDER_AUTH,
    407: ErrorType.PROVIDER_AUTH,
    408: ErrorType.PROVIDER_UNAVAILABLE,
    425: ErrorType.PROVIDER_UNAVAILABLE,
    429: ErrorType.RATE_LIMITED,
}


async def call_provider(
    call: Invocation[Any],
    method: str,
    url: str,
    *,
    headers: CIMultiDict[str],
    params: Sequence[tuple[str, str]] = (),
    data: bytes | None = None,
    timeout: float | None = None,
    max_bytes: int | None = None,
    allow_redirects: bool = True,
    success: Iterable[range] = SUCCESS,
    secrets: Iterable[str] = (),
    key_suffix: str = "",
) -> HttpAnswer:
    """Make a request and return its answer if its status is in `success`, whole. Raises `ActionError` otherwise.

    The invocation's key goes along as `Idempotency-Key` unless `headers` have one; `key_suffix` tells several calls of
    one invocation apart. `secrets` are blotted out in messages, should the provider repeat them.
    """
    headers.setdefault(IDEMPOTENCY_KEY, call.key + key_suffix)
    try:
        answer = await call.http.request(
            method,
            url,
            headers=headers,
            params=params,
            data=data,
            timeout=timeout,
            max_bytes=max_bytes,
            allow_redirects=allow_redirects,
        )
    except HttpError as error:
        raise ActionError(error.type, _without(error.message, secrets)) from error
    if not any(answer.status in statuses for statuses in success):
        # In a thread: the answer may be large, and an attempt may have many secrets.
        raise await aside(lambda: refused(method, answer, secrets, hide=call.hide))
    if answer.truncated:
        raise ActionError(
            ErrorType.RESPONSE_TOO_LARGE,
            f"{method} {shown(answer.url)}: the answer is larger than the limit of {len(answer.body):,} bytes",
        )
    return answer


def retry_after(answer: HttpAnswer, now: datetime) -> float | None:
    """Seconds the provider asks to wait (RFC 9110, 10.2.3: seconds or a date); None when it does not say."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def refused(
    method: str, answer: HttpAnswer, secrets: Iterable[str], *, hide: Callable[[str], str] = str
) -> ActionError:
    """What an answer means whose status is no success; `secrets` are blotted out, and what `hide` knows."""
    secrets = list(secrets)
    status = answer.status
    type = ErrorType.PROVIDER_UNAVAILABLE if status >= 500 else _TYPES.get(status, ErrorType.PROVIDER_REJECTED)
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    said = excerpt(answer.body, hide=lambda text: _without(hide(text), secrets))
    where = f" to {shown(answer.headers['location'])}" if 300 <= status < 400 and "location" in answer.headers else ""
    message = f"{method} {shown(answer.url)} answered {status}{phrase}{where}" + (f": {said}" if said else "")
    return ActionError(
        type,
        _without(message, secrets),
        provider_code=str(status),
        retry_after=retry_after(answer, datetime.now(UTC)),
    )


def _without(message: str, secrets: Iterable[str]) -> str:
    mask = Mask()
    for secret in secrets:
        mask.add(secret)
    hidden: str = mask.hidden(message)
    return hidden
