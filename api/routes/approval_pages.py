"""The pages that links to approvals open: no login, no script. A GET decides nothing, since programs follow links too.

A link that is not ours, or no longer leads anywhere, is answered with the same page whatever is wrong with it.
"""

import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from api import approval_form
from api.approval_form import FormField
from api.bodies import media_type_of
from api.dependencies import PlatformDep
from api.problems import Refused, status_of
from api.reading import check_value, read_body
from app.definition.durations import parse_moment
from app.definition.problems import Problem
from app.json import JsonObject
from app.services import approvals
from app.services.approvals import Answer, Asked, Linked
from app.services.errors import Conflict, Invalid, NotFound, ServiceError, TooLarge, Unavailable
from app.services.platform import Platform

router = APIRouter(prefix="/approvals", include_in_schema=False)

MAX_FIELDS = 1000

logger = logging.getLogger(__name__)

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("api"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
_style = files("api").joinpath("templates", "approval.css").read_text()
_style_hash = base64.b64encode(hashlib.sha256(_style.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_style_hash}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


@router.get("/{token}")
async def show(token: str, platform: PlatformDep) -> HTMLResponse:
    """What is asked, with a form to answer; or how it was answered."""

    async def page() -> HTMLResponse:
        linked = await approvals.by_link(platform, token)
        return _form(linked, _fields(linked)) if linked.asked.status == "open" else _over(linked.asked, 410)

    return await _told(page)


@router.post("/{token}")
async def answer(token: str, request: Request, platform: PlatformDep) -> HTMLResponse:
    """Take an answer, or say what is wrong with it beside each field."""

    async def page() -> HTMLResponse:
        linked = await approvals.by_link(platform, token)
        posted = await _posted(request, platform)
        return await _answered(platform, token, linked, posted)

    return await _told(page)


async def _answered(platform: Platform, token: str, linked: Linked, posted: Mapping[str, str]) -> HTMLResponse:
    fields = approval_form.filled(_fields(linked), posted)
    decision = posted.get("decision")
    if decision not in ("approve", "reject"):
        return _form(linked, fields, [Problem("", "choose Approve or Reject")], status=422)
    form, about = _apart(fields)
    said, unread = approval_form.read(form) if decision == "approve" else ({}, [])
    given = Answer(
        decision="approve" if decision == "approve" else "reject",
        by=linked.approver or about["by"].strip(),
        answer=said if decision == "approve" and linked.asked.approval.form is not None else None,
        comment=about["comment"].replace("\r\n", "\n").strip() or None,
        via="link",
    )
    try:
        if unread:
            raise Invalid("invalid_answer", "", unread)
        kept = await approvals.give(platform, linked.asked, given)
    except Invalid as error:
        return _form(linked, fields, error.problems, status=422)
    except Conflict:
        return _over((await approvals.by_link(platform, token)).asked, 409)
    return _page(200, linked.asked.approval.title, [_who_and_when(kept), "You can close this page."])


async def _told(page: Callable[[], Awaitable[HTMLResponse]]) -> HTMLResponse:
    """The page, or one that says in plain words why there is none."""
    try:
        return await page()
    except NotFound:
        lines = [
            "It may have been copied only in part, or what it asked for is long gone.",
            "Open it again as it came.",
        ]
        return _page(404, "This link leads nowhere", lines)
    except Unavailable as error:
        logger.warning("the page of an approval cannot do its work: %s", error.detail)
        line = "Open the link again in a moment: it says then whether an answer was taken."
        answer = _page(503, "This cannot be done right now", [line])
        answer.headers["Retry-After"] = "5"
        return answer
    except (Refused, TooLarge, Invalid) as error:
        status = error.status if isinstance(error, Refused) else status_of(error)
        return _page(status, "This could not be read", ["Nothing was decided. Open the link again and answer there."])
    except ServiceError as error:
        return _page(status_of(error), "This cannot be answered", ["Nothing was decided."])


async def _posted(request: Request, platform: Platform) -> dict[str, str]:
    """What a browser sends. Raises `Refused`."""
    if (sent := media_type_of(request)) != "application/x-www-form-urlencoded":
        raise Refused(415, "unsupported_media_type", f"The body is sent as {sent}; this page takes a form.")
    body = await read_body(request, platform.settings.max_body_bytes)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
        )
    except ValueError:
        raise Refused(400, "bad_request", "The form cannot be read.") from None
    posted = dict(pairs)
    check_value(posted)
    return posted


def _fields(linked: Linked) -> list[FormField]:
    """The approval's form, and what every approval asks besides."""
    comment = FormField(name="comment", key="comment", id="comment", label="Comment", kind="textarea")
    name = FormField(name="by", key="by", id="by", label="Your name", kind="text", required=True)
    return [*approval_form.fields_of(linked.asked.approval.form), comment, *([] if linked.approver else [name])]


def _apart(fields: Sequence[FormField]) -> tuple[list[FormField], dict[str, str]]:
    about = {each.key: each.value for each in fields if each.key in ("comment", "by")}
    return [each for each in fields if each.key not in about], {"by": "", **about}


def _form(
    linked: Linked, fields: Sequence[FormField], problems: Sequence[Problem] = (), *, status: int = 200
) -> HTMLResponse:
    shown, left = approval_form.with_problems(fields, problems)
    errors = [{"at": each.id, "text": f"{each.label}: {each.error}"} for each in shown if each.error]
    errors += [{"at": "", "text": f"{problem.path} {problem.message}".strip()} for problem in left]
    approval = linked.asked.approval
    return _rendered(
        "approval.html",
        status,
        title=approval.title or "Approval",
        message=approval.message,
        workflow=linked.asked.run.workflow_name,
        approver=linked.approver,
        until=None if approval.until is None else _moment(approval.until),
        fields=shown,
        errors=errors,
    )


def _over(asked: Asked, status: int) -> HTMLResponse:
    """Why it cannot be answered: who did, or what happened instead."""
    approval = asked.approval
    if approval.answer is not None:
        line = _who_and_when(approval.answer)
    elif asked.status == "timed_out" and approval.until is not None:
        line = f"Nobody answered until {_moment(approval.until)}."
    elif asked.status == "open":
        line = "This cannot be answered just now. Open the link again in a moment."
    else:
        line = "This is no longer asked: what asked for it has gone on without an answer."
    return _page(status, approval.title or "Approval", [line])


def _who_and_when(answer: JsonObject) -> str:
    return f"{answer['by']} {answer['decision']} this on {_moment(parse_moment(answer['at']))}."


def _moment(value: datetime) -> str:
    return f"{value:%d %B %Y, %H:%M} UTC".lstrip("0")


def _page(status: int, title: str, lines: Sequence[str]) -> HTMLResponse:
    return _rendered("page.html", status, title=title, lines=lines)


def _rendered(template: str, status: int, **values: Any) -> HTMLResponse:
    text = _templates.get_template(template).render(style=_style, **values)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)
