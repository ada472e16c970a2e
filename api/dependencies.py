"""What routes are given: the platform, who asks, and the promise that nothing in the address was ignored."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import auditing, permissions, rate_limiting
from app.definition.problems import Problem
from app.observing import context
from app.services import signing_in, standing
from app.services.actors import Actor
from app.services.errors import Forbidden, Invalid, Unauthenticated
from app.services.platform import Platform

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="api_key",
    description="A key of your workspace, `Authorization: Bearer hf_...`, or a token of the issuer trusted here",
)


def platform_of(request: Request) -> Platform:
    """The open resources of this process."""
    platform: Platform = request.app.state.platform
    return platform


async def actor_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    workspace: Annotated[
        str | None,
        Header(
            alias=signing_in.HEADER,
            description="Id of the workspace, for people who are members of several. A key has its own.",
        ),
    ] = None,
) -> Actor:
    """Whose key or token the request carries. Raises `Unauthenticated`, `TooMany` after too many wrong ones, and what
    `signing_in` raises."""
    if credentials is None:
        raise Unauthenticated("missing_api_key", "Send your workspace's API key as `Authorization: Bearer hf_...`.")
    wanted = None if workspace is None else _workspace_id(workspace)
    request.state.credentials = (credentials.credentials, wanted)
    platform = platform_of(request)
    known = signing_in.knows(platform, credentials.credentials, wanted)
    async with rate_limiting.wrong_keys_counted(request, platform, known=known):
        actor = await signing_in.authenticate(platform, credentials.credentials, wanted)
    who = {"key_id": str(actor.key_id)} if actor.key_id else {"subject": actor.subject or ""}
    context.note(workspace_id=str(actor.workspace_id), **who, **_named_in(request))
    request.state.actor = actor
    return actor


def _workspace_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        problem = Problem(f"header.{signing_in.HEADER}", "is no id of a workspace", "a UUID, as `GET /v1/me` shows it")
        raise Invalid("invalid_request", f"{signing_in.HEADER} is no id of a workspace.", [problem]) from None


async def _known_actor(request: Request) -> Actor:
    # Every route under `/v1` has `actor_of` before it. To name that again would have the framework read the header anew
    # each time, before it finds that the answer is there.
    actor: Actor = request.state.actor
    return actor


ActorDep = Annotated[Actor, Depends(_known_actor)]


def _named_in(request: Request) -> dict[str, str]:
    """The ids in the address that a log line has, those that are ids."""
    named = {}
    for parameter, fact in (("workflow_id", "workflow"), ("run_id", "run_id")):
        with suppress(ValueError):
            named[fact] = str(UUID(request.path_params.get(parameter, "")))
    return named


async def within_limits(request: Request, actor: ActorDep) -> None:
    """Count the request, and refuse it where too many came. Raises `TooMany`."""
    await rate_limiting.count(request, platform_of(request), actor)


async def permitted(request: Request, actor: ActorDep) -> None:
    """Refuse what the caller's role or scopes leave out, and all of it while the workspace is suspended; say in the
    audit log who asks. Raises `Forbidden`."""
    platform = platform_of(request)
    await standing.require_usable(platform, actor.workspace_id)
    await require(request, actor, permissions.of(request))
    auditing.begin(request, platform, actor)


async def require(request: Request, actor: Actor, permission: str) -> None:
    """Raises `Forbidden` unless the actor has the permission; the audit log says so."""
    try:
        actor.require(permission)
    except Forbidden:
        await auditing.refused(request, platform_of(request), actor, permission)
        raise


async def check_address(request: Request) -> None:
    """Refuse query parameters the route does not know, and text nobody can store in query or path. Raises `Invalid`."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = _known_parameters(route) if request.query_params else []
    problems = [
        Problem(f"query.{name}", "unknown parameter", f"known: {', '.join(known)}" if known else "none is taken here")
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    texts = [(f"query.{name}", value) for name, value in request.query_params.multi_items()]
    texts += [(f"path.{name}", value) for name, value in request.path_params.items()]
    problems += [Problem(place, "holds U+0000") for place, value in texts if "\x00" in str(value)]
    if problems:
        problems = [Problem(one.path.replace("\x00", "\\0"), one.message, one.hint) for one in problems]
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
        raise Invalid("invalid_request", detail, problems)


def _known_parameters(route: APIRoute) -> list[str]:
    return sorted(field.alias for field in get_flat_params(route.dependant) if _is_query(field.field_info))


def _is_query(field_info: object) -> bool:
    where = getattr(field_info, "in_", None)
    return where is not None and where.value == "query"


async def _platform(request: Request) -> Platform:
    # Dependencies are coroutines throughout: the framework takes the others to a thread and back.
    return platform_of(request)


PlatformDep = Annotated[Platform, Depends(_platform)]
WorkflowId = Annotated[UUID, Path(description="Id of the workflow.")]
RunId = Annotated[UUID, Path(description="Id of the run.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of one page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=1000)]


async def _forced(
    actor: ActorDep,
    *,
    force: Annotated[
        bool, Query(description="Delete it though it is used: for administrators (permission workspace:write).")
    ] = False,
) -> bool:
    if force:
        actor.require("workspace:write")
    return force


Force = Annotated[bool, Depends(_forced)]
"""Whether what is used is deleted all the same; refused with 403 to who may not say so."""
