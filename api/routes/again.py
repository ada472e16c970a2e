"""Doing a run again, over HTTP: from its start (retry), or from the step it ended at (redrive)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, PlatformDep, RunId
from api.headers import IdempotencyKey
from api.openapi import problem_answers
from api.presenting import run_answer
from api.routes.runs import LOCATION
from api.schemas.control import EmptyRequest, RedriveRequest
from api.schemas.runs import RunAnswer
from app.services import redriving, retrying

router = APIRouter(prefix="/runs", tags=["runs"])

NOTHING = RequestBody(EmptyRequest, required=False)
REDRIVE = RequestBody(RedriveRequest, required=False)

_ANSWERS: dict[int | str, Any] = {
    **problem_answers(400, 404, 409, 413, 415, 429),
    202: {"description": "The new run is kept and will be done", "headers": LOCATION},
}


@router.post(
    "/{run_id}/retry", status_code=202, summary="Retry a run", openapi_extra=NOTHING.openapi, responses=_ANSWERS
)
async def retry(
    *,
    run_id: RunId,
    _: Annotated[EmptyRequest, Depends(NOTHING)],
    platform: PlatformDep,
    actor: ActorDep,
    idempotency_key: IdempotencyKey,
    response: Response,
) -> RunAnswer:
    """Does a run that has ended other than completed again from its start, with the same input, version and variables,
    as a new run whose `retry_of` names this one. With an `Idempotency-Key` a repeat answers with the run of the first
    request."""
    run = await retrying.retry(platform, actor.workspace_id, run_id, idempotency_key=idempotency_key)
    response.headers["Location"] = f"/v1/runs/{run.id}"
    return run_answer(run, platform.settings)


@router.post(
    "/{run_id}/redrive", status_code=202, summary="Redrive a run", openapi_extra=REDRIVE.openapi, responses=_ANSWERS
)
async def redrive(
    *,
    run_id: RunId,
    body: Annotated[RedriveRequest, Depends(REDRIVE)],
    platform: PlatformDep,
    actor: ActorDep,
    idempotency_key: IdempotencyKey,
    response: Response,
) -> RunAnswer:
    """Goes on with a run that ended other than completed, from the step that failed or from an earlier one, as a new
    run whose `retry_of` names this one: what was done before that step is taken as it is and not done again. `version`
    takes another published version whose finished part is the same. With an `Idempotency-Key` a repeat answers with
    the run of the first request."""
    run = await redriving.redrive(
        platform,
        actor.workspace_id,
        run_id,
        from_step=body.from_step,
        version=body.version,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/runs/{run.id}"
    return run_answer(run, platform.settings)
