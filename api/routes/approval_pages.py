"""The pages that links to approvals open: no login, no script. A GET decides nothing, since programs follow links too.

A link that is not ours, or no longer leads anywhere, is answered with the same page whatever is wrong with it.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from api import approval_form, auditing
from api.approval_form import FormField
from api.dependencies import PlatformDep
from api.forms.pages import Posted, last, page, posted, rendered, told
from api.problems import Refused, status_of
from app.definition.durations import parse_moment
from app.definition.problems import Problem
from app.json import JsonObject
from app.services import approvals
from app.services.approvals import Answer, Asked, Linked
from app.services.errors import Conflict, Invalid, NotFound, ServiceError, TooLarge, Unavailable
from app.services.platform import Platform

router = APIRouter(prefix="/approvals", include_in_schema=False)

logger = logging.getLogger(__name__)


@router.get("/{token}")
async def show(token: str, platform: PlatformDep) -> HTMLResponse:
    """What is asked, with a form to answer; or how it was answered."""

    async def answering() -> HTMLResponse:
        linked = await approvals.by_link(platform, token)
        return _form(linked, _fields(linked)) if linked.asked.status == "open" else _over(linked.asked, 410)

    return await _told(answering)


@router.post("/{token}")
async def answer(token: str, request: Request, platform: PlatformDep) -> HTMLResponse:
    """Take an answer, or say what is wrong with it beside each field."""

    async def answering() -> HTMLResponse:
        linked = await approvals.by_link(platform, token)
        sent = await posted(request, platform.settings.max_body_bytes)
        return await _answered(platform, token, linked, sent, request)

    return await _told(answering)


async def _answered(platform: Platform, token: str, linked: Linked, sent: Posted, request: Request) -> HTMLResponse:
    fields = approval_form.filled(_fields(linked), sent)
    decision = last(sent, "decision")
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
    auditing.begin_by_link(request, platform, linked.approver, given.by)
    try:
        if unread:
            raise Invalid("invalid_answer", "", unread)
        kept = await approvals.give(platform, linked.asked, given)
    except Invalid as error:
        return _form(linked, fields, error.problems, status=422)
    except Conflict:
        return _over((await approvals.by_link(platform, token)).asked, 409)
    return page(200, linked.asked.approval.title, [_who_and_when(kept), "You can close this page."])


async def _told(answering: Callable[[], Awaitable[HTMLResponse]]) -> HTMLResponse:
    """The page, or one that says in plain words why there is none."""
    try:
        return await answering()
    except NotFound:
        lines = [
            "It may have been copied only in part, or what it asked for is long gone.",
            "Open it again as it came.",
        ]
        return page(404, "This link leads nowhere", lines)
    except Unavailable as error:
        logger.warning("the page of an approval cannot do its work: %s", error.detail)
        line = "Open the link again in a moment: it says then whether an answer was taken."
        answer = page(503, "This cannot be done right now", [line])
        answer.headers["Retry-After"] = "5"
        return answer
    except (Refused, TooLarge, Invalid) as error:
        status = error.status if isinstance(error, Refused) else status_of(error)
        return page(status, "This could not be read", ["Nothing was decided. Open the link again and answer there."])
    except ServiceError as error:
        return page(status_of(error), "This cannot be answered", ["Nothing was decided."])


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
    approval = linked.asked.approval
    return rendered(
        "approval.html",
        status,
        title=approval.title or "Approval",
        message=approval.message,
        workflow=linked.asked.run.workflow_name,
        approver=linked.approver,
        until=None if approval.until is None else _moment(approval.until),
        fields=shown,
        errors=told(shown, left),
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
    return page(status, approval.title or "Approval", [line])


def _who_and_when(answer: JsonObject) -> str:
    return f"{answer['by']} {answer['decision']} this on {_moment(parse_moment(answer['at']))}."


def _moment(value: datetime) -> str:
    return f"{value:%d %B %Y, %H:%M} UTC".lstrip("0")
