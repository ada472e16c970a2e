"""The pages of an authorization: ours, before somebody goes to the provider, and the one they are sent back to.

No login, no script. A GET of the first changes nothing, since programs follow links too. What others say stands on a
page only when the browser is the one that was sent on, and as text.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, TypedDict
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import PlatformDep
from api.forms.pages import page, rendered
from api.outgoing import OutgoingDep
from api.problems import status_of
from app.security import oauth
from app.services import oauth_authorizing
from app.services.errors import NotFound, ServiceError
from app.services.oauth_authorizing import CALLBACK, GOOD_FOR, NotAuthorized
from app.services.oauth_exchange import TokenError
from app.settings import Settings

router = APIRouter(prefix="/oauth", include_in_schema=False)

logger = logging.getLogger(__name__)

Answered = Annotated[str | None, Query()]


@router.get("/begin/{ticket}")
async def show(ticket: str, platform: PlatformDep) -> Response:
    """What is to be authorized, for whom, and where."""

    async def answering() -> Response:
        asked = await oauth_authorizing.asked(platform, ticket)
        return rendered("authorize.html", 200, leads_on=True, title=f"Authorize {asked.connection}", asked=asked)

    return await _told(answering)


@router.post("/begin/{ticket}")
async def leave(ticket: str, request: Request, platform: PlatformDep) -> Response:
    """Send the browser on to the provider. It alone can come back: it gets a secret that no other has."""

    async def answering() -> Response:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise NotFound("authorization_not_found", "The page was left from another website.")
        leaving = await oauth_authorizing.leave(platform, ticket)
        response = RedirectResponse(leaving.url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        response.set_cookie(
            _cookie(leaving.state),
            leaving.browser,
            max_age=int(GOOD_FOR.total_seconds()),
            httponly=True,
            # The provider's redirect is a navigation from another site: `strict` would leave the cookie out.
            samesite="lax",
            **_place(platform.settings),
        )
        return response

    return await _told(answering)


@router.get("/callback")
async def callback(
    request: Request,
    platform: PlatformDep,
    outgoing: OutgoingDep,
    *,
    state: Answered = None,
    code: Answered = None,
    error: Answered = None,
    error_description: Answered = None,
) -> Response:
    """Take the provider's answer."""
    name = _cookie(state or "")

    async def answering() -> Response:
        connection = await oauth_authorizing.arrive(
            platform,
            outgoing.token_client,
            state=state or "",
            browser=request.cookies.get(name, ""),
            code=code if error is None else None,
            error=error,
            said=error_description,
        )
        return page(200, f"{connection} is authorized", ["It can be used from now on.", "You can close this page."])

    response = await _told(answering)
    if name in request.cookies:
        response.delete_cookie(name, httponly=True, samesite="lax", **_place(platform.settings))
    return response


async def _told(answering: Callable[[], Awaitable[Response]]) -> Response:
    """The page, or one that says in plain words why there is none."""
    try:
        return await answering()
    except NotFound:
        return page(
            400,
            "This leads nowhere",
            [
                "The link was used before, is too old, or was opened in another browser than the one that went on from "
                "it.",
                "Ask for another one, and open it here.",
            ],
        )
    except NotAuthorized as refusal:
        return page(403, "Not authorized", [refusal.message, "Nothing was changed. The link has been used."])
    except TokenError as error:
        logger.warning("an authorization ended without tokens: %s", error.message)
        return page(502, "The provider gave no access", [f"{error.message}.", "Begin again when that is mended."])
    except ServiceError as error:
        logger.warning("the page of an authorization cannot do its work: %s", error.detail)
        return page(status_of(error), "That did not work", [error.detail])


def _cookie(state: str) -> str:
    """One for each authorization, so that two in one browser do not end each other."""
    return f"holdfast_oauth_{oauth.digest(state)[:16]}"


class _Place(TypedDict):
    path: str
    secure: bool


def _place(settings: Settings) -> _Place:
    parts = urlsplit(settings.resolved_public_url)
    return {"path": f"{parts.path}{CALLBACK}", "secure": parts.scheme == "https"}
