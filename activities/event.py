"""`event.emit`: an event of the workflow's own, committed with the outcome of the step that emits it."""

import hashlib

from activities.base import ActionError, Invocation, action
from app.catalog.emitting import MAX_TOLD, EventEmitInputs, EventEmitOutputs
from app.catalog.errors import ErrorType
from app.definition.durations import format_moment
from app.json import JsonObject
from app.services import events
from app.services.errors import Invalid, TooLarge
from app.services.platform import Platform


@action("event.emit")
async def event_emit(call: Invocation[EventEmitInputs]) -> EventEmitOutputs:
    """Emit it. What it starts and wakes is done once it is committed."""
    change, inputs = call.change, call.inputs
    event: JsonObject = {"id": inputs.id or event_id(call.key), "type": inputs.type, "data": inputs.data}
    event["time"] = inputs.time or format_moment(call.started_at)
    event |= {name: value for name in ("source", "subject") if (value := getattr(inputs, name)) is not None}
    try:
        [emitted] = await events.emit(
            change.session,
            change.workspace_id,
            change.run_id,
            change.path,
            [event],
            max_event_bytes=call.settings.max_event_bytes,
        )
    except events.ChainTooDeep as error:
        raise ActionError(ErrorType.EVENT_CHAIN_TOO_DEEP, f"{call.step}: {error}") from error
    except (Invalid, TooLarge) as error:
        raise ActionError(ErrorType.INVALID_INPUT, f"{call.step}: {error.detail}") from error

    async def dispatched(platform: Platform) -> JsonObject:
        did = await events.dispatch_emitted(platform, change.workspace_id, [emitted])
        started, woke = did.get((emitted.source, emitted.id), ([], []))
        return {"started": started[:MAX_TOLD], "woke": woke[:MAX_TOLD]}

    change.afterwards.append(dispatched)
    return EventEmitOutputs(id=emitted.id, source=emitted.source, type=emitted.type, duplicate=emitted.duplicate)


def event_id(key: str) -> str:
    """The id of the event of an effect: the same for every attempt, and no other effect's."""
    return f"evt_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
