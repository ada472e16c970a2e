"""A run watched live over HTTP, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncGenerator
from uuid import UUID

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.dependencies import ActorDep, PlatformDep, RunId
from api.openapi import problem_answers
from api.presenting import run_answer, step_answer
from api.staying import while_let_in
from api.streams import HeldStream, Streams
from app.services import runs, watching
from app.services.platform import Platform

HEARTBEAT_SECONDS = 15

router = APIRouter(tags=["runs"])

_ANSWERS = {
    **problem_answers(404, 429),
    200: {
        "description": "Events `step` (a step record), `run` (the run) and at last `done` (the run as it ended)",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: step\ndata: {"path": "welcome", "status": "running"}\n\n',
            }
        },
    },
}


@router.get(
    "/runs/{run_id}/stream",
    summary="Watch a run",
    responses=_ANSWERS,
    response_class=EventSourceResponse,
    response_model=None,
)
async def stream(request: Request, run_id: RunId, platform: PlatformDep, actor: ActorDep) -> EventSourceResponse:
    """First what there is, then what changes: `step` for each step record that is new or other than it was, `run` when
    the run's state changes, `done` when it has ended, which also ends the stream. A client that connects again is told
    everything again. Comments keep the connection alive. It ends early when the key or token does."""
    await runs.get(platform, actor.workspace_id, run_id, live=False)
    streams: Streams = request.app.state.streams
    give_back = streams.take(actor, platform.settings.max_streams)
    answer = HeldStream(
        while_let_in(request, _events(platform, actor.workspace_id, run_id)),
        ping=HEARTBEAT_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        sep="\n",
    )
    answer.give_back = give_back
    return answer


async def _events(platform: Platform, workspace_id: UUID, run_id: UUID) -> AsyncGenerator[ServerSentEvent]:
    async for change in watching.watch(platform, workspace_id, run_id):
        if isinstance(change, watching.StepChanged):
            yield ServerSentEvent(event="step", data=step_answer(change.step).model_dump_json())
        else:
            yield ServerSentEvent(event=change.kind, data=run_answer(change.run, platform.settings).model_dump_json())
