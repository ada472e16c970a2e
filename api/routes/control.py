"""Run control over HTTP: cancel, pause, resume, decide, signal one run. All that match are `bulk.py`'s subject."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, PlatformDep, RunId
from api.openapi import problem_answers
from api.presenting import run_answer
from api.schemas.control import DecideRequest, EmptyRequest, SignalRequest
from api.schemas.runs import RunAnswer
from app.services import control, runs
from app.services.control import Controlled
from app.services.platform import Platform

router = APIRouter(prefix="/runs", tags=["runs"])

NOTHING = RequestBody(EmptyRequest, required=False)
DECIDE = RequestBody(DecideRequest)
SIGNAL = RequestBody(SignalRequest)

_STATES = problem_answers(400, 404, 409, 413, 415)
_ANSWERS: dict[int | str, Any] = {
    **_STATES,
    200: {"model": RunAnswer, "description": "The run as it is after"},
    202: {"model": RunAnswer, "description": "Done; how the run stands since could not be asked in time"},
}


@router.post(
    "/{run_id}/cancel",
    summary="Cancel a run",
    openapi_extra=NOTHING.openapi,
    responses={
        **_STATES,
        202: {"model": RunAnswer, "description": "Cancelling; what the run does at its end takes longer"},
    },
)
async def cancel(
    run_id: RunId,
    _: Annotated[EmptyRequest, Depends(NOTHING)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """Cancels the run: what it waits for is let go, its compensation and its `finally` are done, then it is
    `cancelled`. Answers 200 with the run when that took no more than five seconds, else 202."""
    run = await runs.cancel(platform, actor.workspace_id, run_id)
    if not runs.has_ended(run):
        response.status_code = 202
    return run_answer(run, platform.settings)


@router.post("/{run_id}/pause", summary="Pause a run", openapi_extra=NOTHING.openapi, responses=_ANSWERS)
async def pause(
    run_id: RunId,
    _: Annotated[EmptyRequest, Depends(NOTHING)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """No further step begins. What is under way goes on and its results are kept: an effect ends, an event that is
    waited for still comes, and deadlines stay where they are. A paused run can be cancelled."""
    done = await control.pause(platform, actor.workspace_id, run_id, by=actor.name)
    return _answer(done, platform, response)


@router.post("/{run_id}/resume", summary="Resume a run", openapi_extra=NOTHING.openapi, responses=_ANSWERS)
async def resume(
    run_id: RunId,
    _: Annotated[EmptyRequest, Depends(NOTHING)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """A paused run goes on."""
    done = await control.resume(platform, actor.workspace_id, run_id, by=actor.name)
    return _answer(done, platform, response)


@router.post("/{run_id}/decide", summary="Decide about a held step", openapi_extra=DECIDE.openapi, responses=_ANSWERS)
async def decide(
    run_id: RunId,
    body: Annotated[DecideRequest, Depends(DECIDE)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """Says what becomes of a step that failed and is held: `retry` does it again, if need be with other `inputs`;
    `skip` goes on with `output` as what it gave; `fail` lets it fail. The step's record says who decided what."""
    done = await control.decide(
        platform,
        actor.workspace_id,
        run_id,
        path=body.step_path,
        decision=body.decision,
        inputs=body.inputs,
        output=body.output,
        by=actor.name,
    )
    return _answer(done, platform, response)


@router.post("/{run_id}/signal", summary="Signal a run", openapi_extra=SIGNAL.openapi, responses=_ANSWERS)
async def signal(
    run_id: RunId,
    body: Annotated[SignalRequest, Depends(SIGNAL)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """Gives a run that waits for an event one of its own. Type and data must fit the wait, as for any event; it starts
    no workflow, wakes no other run and is not kept among the workspace's events."""
    done = await control.signal(
        platform, actor.workspace_id, run_id, type=body.event, data=body.data, path=body.step_path
    )
    return _answer(done, platform, response)


def _answer(done: Controlled, platform: Platform, response: Response) -> RunAnswer:
    if not done.known:
        response.status_code = 202
    return run_answer(done.run, platform.settings)
