"""The codec that Temporal's UI asks for readable payloads (its remote codec protocol), behind our own sign-in.

Who asks is told by `Authorization: Bearer`, or by a cookie that the sign-in page here gives a browser: Temporal's UI
can only send a token where it has a sign-in of its own. Requests count as others with that key or token do. What may be
read is `app.services.decoding`'s to say.
"""

import asyncio
import json
import time
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.security import HTTPAuthorizationCredentials
from google.protobuf import json_format
from starlette.responses import HTMLResponse, Response
from temporalio.api.common.v1 import Payloads

from api import auditing, rate_limiting
from api.codec_cors import ui_origin
from api.dependencies import PlatformDep, actor_of
from api.forms.pages import last, page, posted, rendered
from api.problems import Refused
from api.reading import read_body
from app.security.credentials import CredentialsError
from app.services import decoding, standing
from app.services.actors import Actor
from app.services.errors import Forbidden, ServiceError, TooMany, Unauthenticated
from app.services.platform import Platform

router = APIRouter(prefix="/codec", tags=["codec"], include_in_schema=False)

LARGEST_BODY = 8 * 1024 * 1024
COOKIE = "holdfast_codec"
SESSION_SECONDS = 8 * 3600
_SESSION = "codec session"
_LARGEST_FORM = 16 * 1024


@router.post("/decode")
async def decode(
    request: Request, platform: PlatformDep, x_namespace: Annotated[str | None, Header()] = None
) -> Response:
    """The payloads, readable where the caller may read them."""
    actor = await _actor(request, platform)
    await _permitted(request, platform, actor)
    namespace = platform.settings.temporal_namespace
    if x_namespace is not None and x_namespace != namespace:
        raise Refused(404, "wrong_namespace", f"Payloads here are of the namespace {namespace!r}.")
    body = await read_body(request, LARGEST_BODY)
    payloads = await asyncio.to_thread(_read, body)
    found = await decoding.decode(platform, actor, payloads.payloads)
    if any(shown is not came for shown, came in zip(found, payloads.payloads, strict=True)):
        await auditing.read_payloads(request, platform, actor)
    return Response(await asyncio.to_thread(_written, Payloads(payloads=found)), media_type="application/json")


@router.post("/encode")
async def encode(request: Request, platform: PlatformDep) -> Response:
    """Refused: what is written for Temporal is written by the API and the workers."""
    await _actor(request, platform)
    raise Refused(403, "codec_only_decodes", "Runs are started and steered through the API, not from Temporal's UI.")


@router.get("/sign-in")
async def sign_in() -> HTMLResponse:
    """A page that asks for an API key."""
    return _form(200, "")


@router.post("/sign-in")
async def signed_in(request: Request, platform: PlatformDep) -> HTMLResponse:
    """Let the browser read payloads for some hours. The key stays with it, encrypted, and is asked anew each time."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return _form(403, "The form was sent from another website: enter the key here.")
    try:
        token = last(await posted(request, _LARGEST_FORM), "key").strip()
        await _permitted(request, platform, await _of_token(request, token))
        session = {"token": token, "until": int(time.time()) + SESSION_SECONDS}
        sealed = platform.keyring.encrypt(session, context=_SESSION)
    except Unauthenticated:
        return _form(401, "This key is not known.")
    except Forbidden as error:
        return _form(403, error.detail)
    except (Refused, ServiceError) as error:
        return _refusal(error)
    except CredentialsError as error:
        return _form(503, f"Nobody can sign in: {error}.")
    answer = page(200, "You are signed in", ["Temporal's UI shows the payloads of your workspace in this browser now."])
    answer.set_cookie(
        COOKIE,
        sealed,
        max_age=SESSION_SECONDS,
        path="/codec",
        httponly=True,
        samesite="strict",
        secure=platform.settings.resolved_public_url.startswith("https:"),
    )
    return answer


async def _actor(request: Request, platform: Platform) -> Actor:
    """Who asks. A cookie counts only with the origin of Temporal's UI. Raises `Unauthenticated`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return await _of_token(request, token.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie is None or request.headers.get("origin") != ui_origin(platform.settings):
        where = f"{platform.settings.resolved_public_url}/codec/sign-in"
        raise Unauthenticated("missing_api_key", f"Send `Authorization: Bearer ...`, or sign in at {where}.")
    try:
        session = platform.keyring.decrypt(cookie, context=_SESSION)
    except CredentialsError:
        session = {"until": 0}
    if session["until"] <= time.time():
        raise Unauthenticated("invalid_api_key", "The sign-in of this browser is over: sign in again.")
    return await _of_token(request, session["token"])


async def _of_token(request: Request, token: str) -> Actor:
    platform: Platform = request.app.state.platform
    actor = await actor_of(request, HTTPAuthorizationCredentials(scheme="Bearer", credentials=token))
    await rate_limiting.count(request, platform, actor)
    await standing.require_usable(platform, actor.workspace_id)
    return actor


async def _permitted(request: Request, platform: Platform, actor: Actor) -> None:
    """Raises `Forbidden`, and says so in the audit log, where the actor may not read payloads."""
    try:
        actor.require("payloads:read")
    except Forbidden:
        await auditing.refused(request, platform, actor, "payloads:read")
        raise


def _read(body: bytes) -> Payloads:
    try:
        read: Payloads = json_format.Parse(body, Payloads(), ignore_unknown_fields=True, max_recursion_depth=20)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        raise Refused(400, "invalid_payloads", "The body is no list of payloads as Temporal writes them.") from None
    return read


def _written(payloads: Payloads) -> bytes:
    found = json_format.MessageToDict(payloads)
    return json.dumps({"payloads": found.get("payloads", [])}).encode()


def _refusal(error: Refused | ServiceError) -> HTMLResponse:
    if not isinstance(error, TooMany):
        return _form(400, error.detail)
    answer = _form(429, error.detail)
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _form(status: int, error: str) -> HTMLResponse:
    return rendered(
        "codec_sign_in.html", status, title="Read payloads in Temporal's UI", errors=[error] if error else []
    )
