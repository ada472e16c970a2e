"""The door of webhooks: requests of others' programs, with no API key, at addresses that are secrets themselves.

What is taken and what is not is decided in `app.services.receiving`; here requests are read and answered.
"""

import asyncio
import logging

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api import problems
from api.clients import address_of
from api.dependencies import platform_of
from api.openapi import problem_answers
from api.own_responses import RUN_HEADER, own_response
from api.problems import Refused
from api.reading import read_body
from app.db.models import Run
from app.json import JsonObject
from app.services import receiving, runs, webhook_facts
from app.services.errors import Conflict, NotFound
from app.services.platform import Platform
from app.services.receiving import Received
from app.services.webhook_refusals import Rejected
from app.services.webhook_requests import Arrived

router = APIRouter(prefix="/hooks", tags=["webhooks"])

logger = logging.getLogger(__name__)

_BODY: JsonObject = {
    "requestBody": {"content": {"*/*": {"schema": {"description": "Whatever the sender sends."}}}},
}


@router.post(
    "/{token}",
    summary="Deliver to a webhook",
    response_model=None,
    status_code=202,
    openapi_extra=_BODY,
    responses=problem_answers(400, 403, 404, 405, 408, 409, 410, 413, 504),
)
async def deliver(token: str, request: Request) -> Response:
    """Takes a delivery to the webhook of this address; needs no API key, but what the workflow's trigger asks for:
    method, address, signature. The delivery is kept before it is answered.

    202 with `delivery_id`, `duplicate` and, where it is known, `run_id`; or what the run answers, where the trigger
    says `respond: when_finished` or `by_step`.
    """
    return await _delivered(token, request)


@router.api_route("/{token}", methods=["GET", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def deliver_otherwise(token: str, request: Request) -> Response:
    """The same by any other method a trigger may take."""
    return await _delivered(token, request)


@router.api_route("/{token}", methods=["HEAD", "OPTIONS"], include_in_schema=False)
async def look(token: str, request: Request) -> Response:
    """Which methods are taken; nothing is delivered so."""
    hook, _ = await webhook_facts.remembered(platform_of(request), token)
    methods = [] if hook.trigger is None else hook.trigger.methods
    return Response(status_code=204, headers={"Allow": ", ".join([*methods, "HEAD", "OPTIONS"])})


async def _delivered(token: str, request: Request) -> Response:
    platform = platform_of(request)
    arrived = _arrived(platform, token, request, None)
    try:
        trigger = await receiving.enter(platform, token, arrived)
        limits = (platform.settings.max_body_bytes, trigger.max_body_bytes)
        body = await _body(platform, token, request, arrived, min(one for one in limits if one is not None))
        arrived = _arrived(platform, token, request, body)
        received = await receiving.receive(platform, token, arrived)
    except NotFound:
        logger.info("a delivery from %s to a webhook that is not there", arrived.remote_address)
        raise
    except Rejected as rejected:
        return _refused(request, rejected)
    if received.challenge is not None:
        return JSONResponse({"challenge": received.challenge})
    if not received.waits:
        return _taken(received)
    try:
        answer = _answered(request, received, await receiving.answer_of(platform, received))
    except Conflict as refusal:
        answer = problems.answer(request, problems.status_of(refusal), refusal.code, refusal.detail)
    await receiving.note_answer(platform, received, arrived, answer.status_code)
    return answer


async def _body(platform: Platform, token: str, request: Request, arrived: Arrived, limit: int) -> bytes:
    try:
        return await read_body(request, limit)
    except Refused as refused:
        rejected = Rejected(refused.code, refused.detail)
        await receiving.reject(platform, token, arrived, rejected)
        raise rejected from None


def _arrived(platform: Platform, token: str, request: Request, body: bytes | None) -> Arrived:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    said = headers.get("content-length", "")
    query = request.url.query
    return Arrived(
        method=request.method,
        # What a sender signs is the address it was given, whatever proxies made of it.
        address=f"{platform.settings.resolved_public_url}/hooks/{token}{'?' if query else ''}{query}",
        query=query,
        headers=headers,
        remote_address=address_of(request, platform),
        body=body,
        size=int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0,
        began=asyncio.get_running_loop().time(),
    )


def _taken(received: Received) -> Response:
    said: JsonObject = {"delivery_id": str(received.delivery_id), "duplicate": received.duplicate}
    if received.run_id is not None:
        said["run_id"] = received.run_id
    return JSONResponse(said, receiving.ACCEPTED_STATUS)


def _answered(request: Request, received: Received, run: Run | None) -> Response:
    """What a run that was waited for answers, or why there is no answer."""
    delivery = f"The delivery is kept as {received.delivery_id}"
    if run is None:
        detail = f"{delivery}; its run had not begun within the trigger's timeout, and begins later."
        return problems.answer(request, 504, "answer_timed_out", detail)
    named = {RUN_HEADER: str(run.id), "Location": f"/v1/runs/{run.id}"}
    if run.response is not None:
        return own_response(run, {})
    if not runs.has_ended(run):
        detail = f"{delivery}, and its run {run.id} goes on; it had no answer within the trigger's timeout."
        return problems.answer(request, 504, "answer_timed_out", detail, headers=named)
    if run.status != "completed":
        detail = f"{delivery}; its run {run.id} ended as {run.status}."
        return problems.answer(request, 500, "run_not_completed", detail, headers=named)
    return JSONResponse(run.output, headers=named)


def _refused(request: Request, rejected: Rejected) -> Response:
    headers: dict[str, str] = {}
    if rejected.status == 401:
        headers["WWW-Authenticate"] = "Signature"
    if rejected.methods:
        headers["Allow"] = ", ".join([*rejected.methods, "HEAD", "OPTIONS"])
    return problems.answer(request, rejected.status, rejected.code, rejected.detail, headers=headers)
