"""Limits of requests on their way through HTTP: counted before anything else is done, and told in headers.

The headers are those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers-10): `RateLimit-Policy` says what is
taken, `RateLimit` what is left of it. What is limited and by what is `app.services.rate_limits`' subject.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.clients import address_of
from app.services import doors, plans, rate_limits
from app.services.actors import Actor
from app.services.errors import Lapsed, Unauthenticated
from app.services.platform import Platform
from app.services.rate_limits import Standing

_STATE = "rate_limits"


class RateLimitHeaders:
    """Puts how the limits of a request stand into its answer, whatever that is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_limits(message: Message) -> None:
            standings = scope.get("state", {}).get(_STATE)
            if standings and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = ", ".join(
                    f'"{each.policy}";q={each.quota};w={each.window}' for each in standings
                )
                headers["RateLimit"] = ", ".join(
                    f'"{each.policy}";r={each.remaining};t={each.reset}' for each in standings
                )
            await send(message)

        await self.app(scope, receive, send_with_limits)


async def count(request: Request, platform: Platform, actor: Actor) -> None:
    """Count a request of somebody who is known. Raises `TooMany` (`rate_limited`)."""
    plan = await plans.lately(platform, actor.workspace_id)
    _note(request, await rate_limits.of_actor(platform.rate_limits, platform.settings, plan, actor))


async def count_at_door(request: Request) -> None:
    """Count a request at an address that needs no key: for where it comes from, and once its token is found for the
    workspace, whose rate nobody uses up with tokens that lead nowhere. Raises `TooMany` (`rate_limited`)."""
    platform: Platform = request.app.state.platform
    limits, settings = platform.rate_limits, platform.settings
    standings = await rate_limits.at_door(limits, settings, address_of(request, platform), None)
    _note(request, standings)
    if settings.rate_limit_workspace and (token := request.path_params.get("token")):
        workspace_id = await doors.workspace_of(platform, token)
        _note(request, [*standings, *await rate_limits.at_door(limits, settings, None, workspace_id)])


@asynccontextmanager
async def wrong_keys_counted(request: Request, platform: Platform, *, known: bool) -> AsyncIterator[None]:
    """Around finding out who asks: keys that are none count for the address they come from, which is asked for nothing
    more when it has sent too many, unless its key is `known` to have been right. What has only lapsed was no guess: a
    client that goes on with an old key or token does not shut out those beside it. Raises `TooMany` (`rate_limited`).
    """
    address, limits = address_of(request, platform), platform.rate_limits
    if not known:
        _note(request, [rate_limits.shut_out(limits, platform.settings, address)])
    try:
        yield
    except Lapsed:
        raise
    except Unauthenticated:
        _note(request, [await rate_limits.wrong_key(limits, platform.settings, address)])
        raise


def _note(request: Request, standings: Iterable[Standing | None]) -> None:
    found = [each for each in standings if each is not None]
    if found:
        setattr(request.state, _STATE, found)
        rate_limits.require(found)
