"""The log of events over HTTP: find events, see what one did, let it happen once more."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from api.bodies import RequestBody
from api.dependencies import ActorDep, Limit, PlatformDep
from api.headers import IdempotencyKey
from api.openapi import problem_answers
from api.presenting import event_answer, logged_event_answer
from api.schemas.base import ListAnswer, WrittenMoment
from api.schemas.events import EventAnswer, IngestedAnswer, LoggedEventAnswer, ReplayAnswer, ReplayRequest
from app.definition.problems import Problem
from app.services import event_log
from app.services.errors import Invalid
from app.services.event_log import EventFilter

router = APIRouter(prefix="/events", tags=["events"])

REPLAY = RequestBody(ReplayRequest, required=False)

EventId = Annotated[str, Path(description="Id of the event; what is no letter or digit percent-encoded.")]
LongCursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=8000)]
"""It names an event, whose id and source may be long."""
Source = Annotated[str | None, Query(description="Its source, where several have an event of this id.")]


@router.get(
    "",
    summary="List events",
    responses=problem_answers(),
    response_model_exclude_unset=True,
)
async def list_events(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    type: Annotated[
        str | None, Query(description="Only those of this type, or with a `*` at its end of all that begin so.")
    ] = None,
    source: Annotated[str | None, Query(description="Only those of this source.")] = None,
    subject: Annotated[str | None, Query(description="Only those with this subject.")] = None,
    received_after: Annotated[WrittenMoment | None, Query(description="Only those received then or later.")] = None,
    received_before: Annotated[WrittenMoment | None, Query(description="Only those received earlier.")] = None,
    dispatched: Annotated[
        bool | None, Query(description="Only those whose work is done (`true`), or is not yet (`false`).")
    ] = None,
    caused_by: Annotated[UUID | None, Query(description="Only those that a step of this run caused.")] = None,
    q: Annotated[
        str | None,
        Query(
            description="Only those with this text in id, type, source, subject or data. A page looks through 20,000 "
            "events: it may hold few or none and yet have a `next_cursor`."
        ),
    ] = None,
    include: Annotated[Literal["data"] | None, Query(description="`data`: also what each event holds.")] = None,
    limit: Limit = 50,
    cursor: LongCursor = None,
) -> ListAnswer[LoggedEventAnswer]:
    """The events that came, newest first, with the runs they started and woke. They are kept as long as runs are."""
    wanted = EventFilter(
        type=_pattern(type),
        source=source,
        subject=subject,
        received_after=received_after,
        received_before=received_before,
        dispatched=dispatched,
        caused_by=caused_by,
        text=q or None,
    )
    with_data = include == "data"
    page = await event_log.list_(platform, actor.workspace_id, wanted, with_data=with_data, limit=limit, cursor=cursor)
    items = [logged_event_answer(event, with_data=with_data) for event in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.get("/{event_id:path}", summary="Get an event", responses=problem_answers(404, 409))
async def get(event_id: EventId, platform: PlatformDep, actor: ActorDep, source: Source = None) -> EventAnswer:
    """The event with its data and all it did. An id is its source's own: when several sources have an event of this id,
    409 names them and `source` says which is meant."""
    return event_answer(await event_log.get(platform, actor.workspace_id, event_id, source=source))


@router.post(
    "/{event_id:path}/replay",
    status_code=202,
    summary="Replay an event",
    openapi_extra=REPLAY.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def replay(
    *,
    event_id: EventId,
    body: Annotated[ReplayRequest, Depends(REPLAY)],
    platform: PlatformDep,
    actor: ActorDep,
    idempotency_key: IdempotencyKey,
    source: Source = None,
) -> ReplayAnswer:
    """Takes a new event that says the same as this one, with an id of its own and this one's as `replayof`: what it
    does is done once more. With `workflow_id` it starts that workflow alone and wakes no run. Under the same
    `Idempotency-Key` a repeat makes no further one."""
    done = await event_log.replay(
        platform,
        actor.workspace_id,
        event_id,
        source=source,
        only=body.workflow_id,
        idempotency_key=idempotency_key,
    )
    return ReplayAnswer(items=[IngestedAnswer.model_validate(done.result)], event=event_answer(done.seen))


def _pattern(type_: str | None) -> str | None:
    """Raises `Invalid` for a wildcard that does not stand at the end."""
    if type_ is not None and "*" in type_[:-1]:
        problem = Problem("query.type", "has a wildcard that is not its end", "write crm.deal.*")
        raise Invalid("invalid_request", f"{problem.path}: {problem.message}; {problem.hint}", [problem])
    return type_
