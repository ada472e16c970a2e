"""Runs over HTTP: start one, find them, look into one. Watching one live is `stream.py`, steering it `control.py`."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, RunId, WorkflowId
from api.filters import STATUSES, statuses
from api.headers import IdempotencyKey, PreferWait
from api.openapi import problem_answers
from api.own_responses import own_response
from api.presenting import run_answer, step_answer
from api.schemas.base import ListAnswer, WrittenMoment
from api.schemas.runs import RunAnswer, RunRequest, StepRecordAnswer
from api.staying import waited_for
from app.observing import context
from app.services import answering, runs

router = APIRouter(tags=["runs"])

START = RequestBody(RunRequest, required=False)

LOCATION = {"Location": {"description": "Address of the run.", "schema": {"type": "string"}}}


@router.post(
    "/workflows/{workflow_id}/runs",
    status_code=202,
    response_model=RunAnswer,
    summary="Start a run",
    openapi_extra=START.openapi,
    responses={
        **problem_answers(400, 404, 409, 413, 415, 429),
        200: {"model": RunAnswer, "description": "The run, which ended while it was waited for", "headers": LOCATION},
        "default": {"description": "What a `respond` step of the run answers while it is waited for"},
        202: {"description": "The run is kept and will be done", "headers": LOCATION},
    },
)
async def start(
    *,
    request: Request,
    workflow_id: WorkflowId,
    body: Annotated[RunRequest, Depends(START)],
    platform: PlatformDep,
    actor: ActorDep,
    wait: PreferWait,
    idempotency_key: IdempotencyKey,
    response: Response,
) -> RunAnswer | Response:
    """Starts a run of the active version. The run is kept before the answer leaves: it is done even if this server dies
    now, and stays `pending` as long as Temporal is away.

    With `Prefer: wait=N` the answer waits for the end: 200 when the run ended in time, else 202. When a `respond` step
    comes first, the answer is what it says, with the run's id as `Holdfast-Run`. With an `Idempotency-Key` a repeat
    answers with the run of the first request; the same key with another body answers 409.

    The workflow's limits may have the run wait as `pending` (`waiting_for` says for what), answer with the run of an
    earlier start (`run_once_per`), or refuse it with 429.
    """
    clock = asyncio.get_running_loop()
    asked_at = clock.time()
    started = await runs.start(
        platform,
        actor.workspace_id,
        workflow_id,
        input=body.input,
        version=body.version,
        variables=body.variables,
        idempotency_key=idempotency_key,
        noted_later=wait is not None,
    )
    run = started.run
    context.note(run_id=str(run.id))
    if wait is not None:
        left = wait - (clock.time() - asked_at)
        run = await waited_for(request, answering.wait_for_answer(platform, run, left))
        response.headers["Preference-Applied"] = f"wait={wait}"
        if run.response is not None:
            return own_response(run, response.headers)
        if runs.has_ended(run):
            response.status_code = 200
    response.headers["Location"] = f"/v1/runs/{run.id}"
    return run_answer(run, platform.settings)


@router.get("/runs", summary="List runs", responses=problem_answers())
async def list_runs(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    workflow_id: Annotated[UUID | None, Query(description="Only those of this workflow.")] = None,
    status: Annotated[
        str | None, Query(description=f"Only those of this status, or of several with commas: {', '.join(STATUSES)}.")
    ] = None,
    trigger: Annotated[
        str | None, Query(description="Only those started so: `manual`, `event`, `workflow` (by a step of a run).")
    ] = None,
    parent_run_id: Annotated[UUID | None, Query(description="Only those that a step of this run started.")] = None,
    started_after: Annotated[WrittenMoment | None, Query(description="Only those started then or later.")] = None,
    started_before: Annotated[WrittenMoment | None, Query(description="Only those started earlier.")] = None,
    waiting_for: Annotated[
        str | None,
        Query(
            description="Only those that wait for this: a kind (`event`, `approval`, `delay`, `retry`, `decision`, "
            "`run`, or before they begin `concurrency`, `rate`) or an event type, which also finds those that wait for "
            "a pattern it fits."
        ),
    ] = None,
    q: Annotated[
        str | None, Query(description="Only those with this text in workflow name, error or event id, or as their id.")
    ] = None,
    sort: Annotated[
        Literal["created_at", "-created_at"], Query(description="Order; with the minus newest first.")
    ] = "-created_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[RunAnswer]:
    """The workspace's runs, as they were last recorded. `GET /v1/runs/{id}` also asks the run itself."""
    wanted = runs.RunFilter(
        workflow_id=workflow_id,
        statuses=statuses(status, "query.status"),
        trigger=trigger,
        parent_run_id=parent_run_id,
        started_after=started_after,
        started_before=started_before,
        waiting_for=waiting_for,
        text=q or None,
    )
    page = await runs.list_(
        platform, actor.workspace_id, wanted, newest_first=sort.startswith("-"), limit=limit, cursor=cursor
    )
    return ListAnswer(items=[run_answer(run, platform.settings) for run in page.items], next_cursor=page.next_cursor)


@router.get("/runs/{run_id}", summary="Get a run", responses=problem_answers(404))
async def get(run_id: RunId, platform: PlatformDep, actor: ActorDep) -> RunAnswer:
    """The run as it stands. While it is under way the run itself is asked; if it does not answer within two seconds,
    what was last recorded is shown."""
    return run_answer(await runs.get(platform, actor.workspace_id, run_id), platform.settings)


@router.get("/runs/{run_id}/steps", summary="List the steps of a run", responses=problem_answers(404))
async def steps(
    *,
    run_id: RunId,
    platform: PlatformDep,
    actor: ActorDep,
    attempts: Annotated[bool, Query(description="Also each step's failed attempts.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[StepRecordAnswer]:
    """The run's steps in the order they began, those in flight too."""
    page = await runs.steps(platform, actor.workspace_id, run_id, with_attempts=attempts, limit=limit, cursor=cursor)
    return ListAnswer(
        items=[step_answer(view.step, view.attempts) for view in page.items], next_cursor=page.next_cursor
    )
