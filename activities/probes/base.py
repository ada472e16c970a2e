"""What every probe gives back, and how it asks over HTTP. No kind stands here."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from activities.base import ActionError
from activities.exchange import refused
from activities.http_client import HttpAnswer, HttpClient, HttpError
from app.catalog.connection_base import ConnectionModel
from app.catalog.errors import ErrorType
from app.json import JsonObject
from app.services.connections import ResolvedConnection

ASK_SECONDS = 15.0
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Found:
    """A connection that works, as far as can be told. `checked`: its credentials, if it has any, were found to be good;
    otherwise it stays in the status it has."""

    message: str
    hint: str = ""
    checked: bool = True


ModelT = TypeVar("ModelT", bound=ConnectionModel)
Probe = Callable[[ResolvedConnection, HttpClient], Awaitable[Found]]


def read(model: type[ModelT], values: JsonObject) -> ModelT:
    """Configuration or credentials of a connection. Raises `ActionError`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ActionError(
            ErrorType.CONNECTION_INVALID, f"the connection is not usable: {where} {problem['msg']}"
        ) from None


async def ask(
    http: HttpClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Sequence[tuple[str, str]] = (),
    secrets: Sequence[str] = (),
) -> HttpAnswer:
    """One request, no redirect followed: the way to a login page is no sign that credentials are good. Raises
    `ActionError` when there is no answer."""
    try:
        return await http.request(
            method,
            url,
            headers={"Accept": "application/json, */*;q=0.8", **headers},
            params=params,
            timeout=ASK_SECONDS,
            max_bytes=MOST_BYTES,
            allow_redirects=False,
        )
    except HttpError as error:
        message = error.message
        for secret in secrets:
            message = message.replace(secret, "***")
        raise ActionError(error.type, message) from error


def succeeded(answer: HttpAnswer, method: str, secrets: Sequence[str]) -> JsonObject:
    """The object a provider answered with. Raises `ActionError` unless it answered 2xx."""
    if not 200 <= answer.status < 300:
        raise refused(method, answer, secrets)
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
