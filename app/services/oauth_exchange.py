"""One exchange with a token endpoint (RFC 6749): what it is sent, and what its answer means. Keeps nothing.

Who makes the request is handed in: it is the client of the actions, with their egress rule, which services do not know.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from app.catalog.connection_base import LONGEST_CREDENTIAL
from app.catalog.http_connections import OAuthConfig, OAuthCredentials
from app.definition.error_types import ErrorType
from app.json import Json
from app.security import oauth
from app.security.masking import Mask, aside

LONGEST_LIFE = 10 * 365 * 24 * 3600.0
"""Seconds; a token that says it lives longer is asked for again then."""
_VISIBLE = range(0x21, 0x7F)

Form = Sequence[tuple[str, str]]


class TokenError(Exception):
    """No token could be had. `code` is the authorization server's own (RFC 6749, 5.2), None where it gave none."""

    def __init__(
        self, type: ErrorType, message: str, *, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.code = code
        self.retry_after = retry_after

    @property
    def passes(self) -> bool:
        """Whether asking again later may help."""
        return self.type not in (ErrorType.PROVIDER_AUTH, ErrorType.PROVIDER_REJECTED, ErrorType.EGRESS_BLOCKED)


@dataclass(frozen=True)
class TokenAnswer:
    """What a token endpoint answered; `retry_after` in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None


class TokenClient(Protocol):
    """Posts forms to token endpoints, where the workspace may call. Follows no redirect.

    Raises `TokenError` when there is no answer in time, and `Unavailable`.
    """

    async def post(self, workspace_id: UUID, url: str, headers: Mapping[str, str], form: Form) -> TokenAnswer: ...


@dataclass(frozen=True)
class Tokens:
    """What was granted; lifetimes in seconds, None where the server does not say."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float | None
    refresh_expires_in: float | None


async def exchange(
    client: TokenClient, workspace_id: UUID, config: OAuthConfig, credentials: OAuthCredentials, grant: Form
) -> Tokens:
    """Ask the token endpoint of a connection of this workspace. Raises `TokenError`, with no secret in its message, and
    `Unavailable`."""
    form = [*grant, *config.token_parameters.items()]
    headers = {"Accept": "application/json"}
    secret = credentials.client_secret
    if secret is not None and config.client_auth == "client_secret_basic":
        headers["Authorization"] = oauth.basic(config.client_id, secret)
    else:
        form.append(("client_id", config.client_id))
        if secret is not None:
            form.append(("client_secret", secret))
    answer = await client.post(workspace_id, config.token_url, headers, form)
    server = urlsplit(config.token_url).hostname or ""
    body = _object(answer.body)
    if answer.status == 200 and "access_token" in body:
        return _tokens(server, body)
    hidden = [value for name, value in form if name not in ("grant_type", "scope", "client_id", "redirect_uri")]
    header = headers.get("Authorization", "").removeprefix("Basic ")
    hidden += [text for text in (secret, header) if text]
    raise await aside(lambda: _refused(server, answer, body, hidden))


def refresh_grant(refresh_token: str) -> Form:
    """RFC 6749, 6."""
    return [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]


def client_grant(config: OAuthConfig) -> Form:
    """RFC 6749, 4.4.2."""
    scope = [("scope", " ".join(config.scopes))] if config.scopes else []
    return [("grant_type", "client_credentials"), *scope]


def code_grant(code: str, redirect_uri: str, verifier: str) -> Form:
    """RFC 6749, 4.1.3, with RFC 7636, 4.5."""
    return [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ]


def plain(text: object, hidden: Sequence[str] = ()) -> str:
    """What a server says, as one short line for people, without what is secret."""
    mask = Mask()
    for secret in hidden:
        mask.add(secret)
    said: str = mask.hidden(str(text))
    return "".join(character if character.isprintable() else " " for character in said)[:300].strip()


def _tokens(server: str, body: dict[str, Json]) -> Tokens:
    access, refresh = body["access_token"], body.get("refresh_token")
    if not isinstance(access, str) or not access or any(ord(character) not in _VISIBLE for character in access):
        raise TokenError(ErrorType.PROVIDER_REJECTED, f"{server} gave an access token that no header can carry")
    if isinstance(refresh, str) and not (refresh.isascii() and refresh.isprintable()):
        raise TokenError(ErrorType.PROVIDER_REJECTED, f"{server} gave a refresh token that no form can carry")
    if max(len(access), len(refresh) if isinstance(refresh, str) else 0) > LONGEST_CREDENTIAL:
        raise TokenError(
            ErrorType.PROVIDER_REJECTED, f"{server} gave a token of more than {LONGEST_CREDENTIAL:,} characters"
        )
    kind = str(body.get("token_type") or "bearer")
    if kind.lower() != "bearer":
        raise TokenError(
            ErrorType.PROVIDER_REJECTED, f"{server} gave a token of type {plain(kind)!r}; only bearer can be used"
        )
    return Tokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        expires_in=_seconds(body.get("expires_in")),
        # No standard has it, many servers do.
        refresh_expires_in=_seconds(body.get("refresh_token_expires_in") or body.get("refresh_expires_in")),
    )


def _seconds(value: Json) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_LIFE) if seconds > 0 else None


def _refused(server: str, answer: TokenAnswer, body: dict[str, Json], hidden: Sequence[str]) -> TokenError:
    code = plain(body["error"], hidden) if isinstance(body.get("error"), str) else None
    said = ": ".join(plain(text, hidden) for text in (body.get("error"), body.get("error_description")) if text)
    message = f"{server} gave no token: it answered {answer.status}" + (f", {said}" if said else "")
    if answer.status == 429:
        type = ErrorType.RATE_LIMITED
    elif answer.status >= 500 or code in ("server_error", "temporarily_unavailable"):
        type = ErrorType.PROVIDER_UNAVAILABLE
    else:
        type = ErrorType.PROVIDER_AUTH if code or answer.status in (401, 403) else ErrorType.PROVIDER_REJECTED
    return TokenError(type, message, code=code, retry_after=answer.retry_after)


def _object(body: bytes) -> dict[str, Json]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
