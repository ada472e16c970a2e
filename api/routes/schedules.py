"""Schedules over HTTP: list and look into them, set one off, fill in a period, pause, resume, try a trigger out."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, WorkflowId
from api.openapi import problem_answers
from api.presenting import run_answer
from api.schemas.base import ListAnswer
from api.schemas.control import EmptyRequest
from api.schemas.schedules import (
    BackfilledAnswer,
    BackfillRequest,
    LastRunAnswer,
    PauseScheduleRequest,
    PreviewAnswer,
    PreviewRequest,
    ScheduleAnswer,
    ScheduleDetailAnswer,
    ScheduleStatus,
    TriggeredAnswer,
    TriggerNowRequest,
)
from app.services import schedules, scheduling
from app.services.schedules import ScheduleView

router = APIRouter(tags=["schedules"])

NOTHING = RequestBody(EmptyRequest, required=False)
TRIGGER = RequestBody(TriggerNowRequest, required=False)
BACKFILL = RequestBody(BackfillRequest)
PAUSE = RequestBody(PauseScheduleRequest, required=False)
PREVIEW = RequestBody(PreviewRequest)

ScheduleId = Annotated[UUID, Path(description="Id of the schedule.")]


@router.get("/schedules", summary="List schedules", responses=problem_answers())
async def list_schedules(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    workflow_id: Annotated[UUID | None, Query(description="Only those of this workflow.")] = None,
    status: Annotated[ScheduleStatus | None, Query(description="Only those of this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[ScheduleAnswer]:
    """The schedules of published workflows. Those of an archived workflow are gone."""
    page = await schedules.list_(
        platform, actor.workspace_id, workflow_id=workflow_id, status=status, limit=limit, cursor=cursor
    )
    return ListAnswer(items=[_answer(view) for view in page.items], next_cursor=page.next_cursor)


@router.get("/workflows/{workflow_id}/schedules", summary="List a workflow's schedules", responses=problem_answers(404))
async def of_workflow(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep) -> ListAnswer[ScheduleAnswer]:
    """All of them, in the order of the triggers."""
    views = await schedules.of_workflow(platform, actor.workspace_id, workflow_id)
    return ListAnswer(items=[_answer(view) for view in views], next_cursor=None)


@router.post(
    "/schedules/preview",
    summary="Preview a schedule",
    openapi_extra=PREVIEW.openapi,
    responses=problem_answers(400, 413, 415),
)
async def preview(body: Annotated[PreviewRequest, Depends(PREVIEW)], actor: ActorDep) -> PreviewAnswer:
    """When a trigger would start runs next, without publishing it. With problems 422, as publishing would say."""
    trigger, moments = schedules.preview(body.trigger, body.count, datetime.now(UTC))
    zone = ZoneInfo(trigger.timezone)
    local = [moment.astimezone(zone).isoformat() for moment in moments]
    return PreviewAnswer(timezone=trigger.timezone, moments=moments, local_times=local)


@router.get("/schedules/{schedule_id}", summary="Get a schedule", responses=problem_answers(404))
async def get(schedule_id: ScheduleId, platform: PlatformDep, actor: ActorDep) -> ScheduleDetailAnswer:
    """The schedule with its next runs, which Temporal tells; `next_runs` is null while it cannot be asked."""
    return _detail(await schedules.get(platform, actor.workspace_id, schedule_id))


@router.post(
    "/schedules/{schedule_id}/trigger-now",
    status_code=202,
    summary="Start a run of a schedule now",
    openapi_extra=TRIGGER.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def trigger_now(
    *,
    schedule_id: ScheduleId,
    body: Annotated[TriggerNowRequest, Depends(TRIGGER)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> TriggeredAnswer:
    """As if a moment of the schedule had come, also of one that is paused. Answers with the run once it has begun;
    while no worker is there, or when `overlap` leaves it out, `run` is null."""
    triggered = await schedules.trigger_now(platform, actor.workspace_id, schedule_id, overlap=body.overlap)
    run, note = triggered.run, None
    if run is None:
        note = (
            "no run has begun yet: a run is under way that the schedule's `overlap` lets nothing beside "
            '(`{"overlap": "allow_all"}` does), or no worker has taken it'
        )
    else:
        response.headers["Location"] = f"/v1/runs/{run.id}"
    answer = None if run is None else run_answer(run, platform.settings)
    return TriggeredAnswer(schedule_id=schedule_id, scheduled_for=triggered.moment, run=answer, note=note)


@router.post(
    "/schedules/{schedule_id}/backfill",
    status_code=202,
    summary="Fill in a period",
    openapi_extra=BACKFILL.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def backfill(
    schedule_id: ScheduleId, body: Annotated[BackfillRequest, Depends(BACKFILL)], platform: PlatformDep, actor: ActorDep
) -> BackfilledAnswer:
    """Starts the runs of a period's moments, both ends included, at most 1,000. A moment that had its run is not run
    again. Runs start in the order of their moments."""
    moments = await schedules.backfill(
        platform, actor.workspace_id, schedule_id, start=body.from_, end=body.to, overlap=body.overlap
    )
    return BackfilledAnswer(schedule_id=schedule_id, moments=moments)


@router.post(
    "/schedules/{schedule_id}/pause",
    summary="Pause a schedule",
    openapi_extra=PAUSE.openapi,
    responses=problem_answers(400, 404, 413, 415),
)
async def pause(
    schedule_id: ScheduleId,
    body: Annotated[PauseScheduleRequest, Depends(PAUSE)],
    platform: PlatformDep,
    actor: ActorDep,
) -> ScheduleDetailAnswer:
    """It starts no more runs until it is resumed, also when its workflow is published anew. Runs under way go on."""
    view = await schedules.pause(platform, actor.workspace_id, schedule_id, reason=body.reason, by=actor.name)
    return _detail(view)


@router.post(
    "/schedules/{schedule_id}/resume",
    summary="Resume a schedule",
    openapi_extra=NOTHING.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def resume(
    schedule_id: ScheduleId, _: Annotated[EmptyRequest, Depends(NOTHING)], platform: PlatformDep, actor: ActorDep
) -> ScheduleDetailAnswer:
    """It starts runs again, whoever paused it; failures are counted from none."""
    return _detail(await schedules.resume(platform, actor.workspace_id, schedule_id))


def _detail(view: ScheduleView) -> ScheduleDetailAnswer:
    told = view.told
    return ScheduleDetailAnswer(
        **_answer(view).model_dump(),
        next_runs=schedules.next_runs(view),
        missed=None if told is None else told.missed,
        skipped=None if told is None else told.skipped,
        note=view.note,
    )


def _answer(view: ScheduleView) -> ScheduleAnswer:
    row = view.row
    paused, reason = scheduling.state_of(row)
    return ScheduleAnswer(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        position=row.position,
        trigger=row.trigger,
        status="paused" if paused else "active",
        paused_reason=reason,
        paused_by=row.paused_by,
        paused_at=row.paused_at,
        consecutive_failures=row.consecutive_failures,
        last_run=_last_run(view),
        running=view.running,
        in_step=row.synced == row.revision,
        sync_error=None if row.synced == row.revision else row.sync_error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _last_run(view: ScheduleView) -> LastRunAnswer | None:
    row = view.row
    if view.last_status is None:
        return None
    return LastRunAnswer(
        id=row.last_run_id,
        status=view.last_status,
        scheduled_for=row.last_scheduled_for,
        started_at=row.last_run_at,
        error=row.last_error,
    )
