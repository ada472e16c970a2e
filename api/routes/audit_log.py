"""The audit log over HTTP: pages of it, and all of it as a file. It is written by the use cases themselves."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from api.audit_exports import MEDIA_TYPES, answer_of, written
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.audit import ActorKind, AuditEntryAnswer, Format, Outcome
from api.schemas.base import ListAnswer
from api.staying import pages_while_let_in
from app.services import audit_log
from app.services.audit_log import AuditFilter

router = APIRouter(prefix="/audit-log", tags=["audit"])

_FILES = {
    **problem_answers(),
    200: {
        "description": "The file, named in `Content-Disposition`; it breaks off where the server can go on no more",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/jsonl": {"schema": {"type": "string"}},
        },
    },
}


async def filter_of(
    *,
    actor: Annotated[
        str | None, Query(description="Only what was done by this one: `actor.id` of an entry.", max_length=500)
    ] = None,
    actor_kind: Annotated[ActorKind | None, Query(description="Only what was done by such actors.")] = None,
    action: Annotated[
        str | None,
        Query(description="Only these actions: `workflow.publish`, or `workflow.*` for all of a type.", max_length=100),
    ] = None,
    target_type: Annotated[
        str | None, Query(description="Only what was done to things of this type, as `workflow`.", max_length=100)
    ] = None,
    target_id: Annotated[str | None, Query(description="Only what was done to this one.", max_length=2000)] = None,
    outcome: Annotated[Outcome | None, Query(description="Only what was `done`, or `refused`.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only what was done then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only what was done earlier.")] = None,
) -> AuditFilter:
    """The filters that both calls take. Raises `Invalid` (`unknown_audit_action`)."""
    return AuditFilter(
        actor=actor,
        actor_kind=actor_kind,
        actions=audit_log.actions_of(action),
        target_type=target_type,
        target_id=target_id,
        outcome=outcome,
        since=since,
        until=until,
    )


FilterDep = Annotated[AuditFilter, Depends(filter_of)]


@router.get("", summary="List the audit log", responses=problem_answers())
async def list_entries(
    wanted: FilterDep, platform: PlatformDep, actor: ActorDep, limit: Limit = 50, cursor: Cursor = None
) -> ListAnswer[AuditEntryAnswer]:
    """Who did what to what, from where, newest first, with what it was before and is since. Nobody can change an entry
    or take one away; they go when they are as old as the installation says."""
    page = await audit_log.list_(platform, actor.workspace_id, wanted, limit=limit, cursor=cursor)
    return ListAnswer(items=[answer_of(entry) for entry in page.items], next_cursor=page.next_cursor)


@router.get(
    "/export",
    summary="Export the audit log",
    responses=_FILES,
    response_class=StreamingResponse,
    response_model=None,
)
async def export(
    wanted: FilterDep,
    request: Request,
    platform: PlatformDep,
    actor: ActorDep,
    format: Annotated[Format, Query(description="`csv` for spreadsheets, `jsonl` (JSON lines) for programs.")] = "csv",
) -> StreamingResponse:
    """All entries that match, newest first, as one file. In CSV a cell that a spreadsheet would take for a formula has
    a `'` in front; `before` and `after` are JSON there."""
    pages = audit_log.export(platform, actor.workspace_id, wanted)
    # What can be refused is refused before the answer begins.
    first = await anext(pages)
    name = f"audit-log-{datetime.now(UTC):%Y-%m-%d}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    rest = pages_while_let_in(request, pages)
    return StreamingResponse(written(format, first, rest), media_type=MEDIA_TYPES[format], headers=headers)
