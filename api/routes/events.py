"""Events over HTTP: taken in as CloudEvents, answered with what they did."""

from fastapi import APIRouter, Request

from api.cloud_events import BATCH, PLAIN, STRUCTURED, read_events
from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.reading import read_body
from api.schemas.events import EventBody, EventsAnswer, IngestedAnswer
from app.json import JsonObject
from app.services import events

router = APIRouter(prefix="/events", tags=["events"])

_ONE = EventBody.model_json_schema()
_MANY: JsonObject = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": events.MAX_EVENTS}
_BODY: JsonObject = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _ONE},
            BATCH: {"schema": _MANY},
            PLAIN: {"schema": {"anyOf": [_ONE, _MANY]}},
            "*/*": {"schema": {"description": "Binary mode: the data alone, the attributes as `ce-` headers."}},
        },
    }
}


@router.post(
    "",
    status_code=202,
    summary="Send events",
    openapi_extra=_BODY,
    responses=problem_answers(400, 413, 415),
)
async def send(request: Request, platform: PlatformDep, actor: ActorDep) -> EventsAnswer:
    """One event or up to 1,000: structured (`application/cloudevents+json`), in a batch
    (`application/cloudevents-batch+json`), binary (headers `ce-id`, `ce-source`, `ce-type`, `ce-specversion`), or plain
    `application/json` of the same shape. Plain JSON without `specversion` needs only `type`: `id` becomes a new UUID,
    `source` `/v1/events`, `time` now.

    Each starts the active workflows whose trigger it fits and wakes the runs that wait for it. The same `source` and
    `id` does it once. Either all events of a request are taken or none; those taken are kept before anything happens,
    and what a part that is down delays is done later.
    """
    body = await read_body(request, platform.settings.max_body_bytes)
    done = await events.ingest(platform, actor.workspace_id, read_events(request, body))
    return EventsAnswer(items=[IngestedAnswer.model_validate(one) for one in done])
