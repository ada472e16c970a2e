"""What people do to one run under way: pause, resume, decide about a held step, signal. Cancelling is `runs.cancel`.

Every use case asks the run itself, which takes it or refuses it, and answers with the run as it is after. How Temporal
is asked, and what its silence means, is `steering`'s subject.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db.models import Run
from app.definition.durations import format_moment
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import audit, events, runs
from app.services.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from app.services.launching import has_ended
from app.services.live import step_at, timeline_of, with_timeline
from app.services.platform import Platform
from app.services.steering import NotUnderWay, update
from app.store import steps as step_store
from app.store import waits as wait_store
from app.temporal import names
from app.temporal.messages import Decision, SignalledEvent

DecisionKind = Literal["retry", "skip", "fail"]

SETTLE_SECONDS = 2.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Controlled:
    """A run after something was done to it.

    `known`: the run itself said how it stands, or it has ended. Else it did not answer in time, and `run` is its row,
    which may lag behind.
    """

    run: Run
    known: bool


async def pause(platform: Platform, workspace_id: UUID, run_id: UUID, *, by: str) -> Controlled:
    """Let no further step begin; what is under way goes on and is kept. `by` is who asks.

    Raises `NotFound`, `Conflict` (`run_already_paused`, `run_ending`, `run_finished`, `run_pending`, `run_lost`) and
    `Unavailable` (`temporal_unavailable`, `worker_unavailable`), as all here do.
    """
    run = await _under_way(platform, workspace_id, run_id, "paused")
    await _send(platform, run, names.PAUSE_UPDATE, by, "paused")
    await _note(platform, run, "run.pause", before={"status": run.status})
    return await after(platform, run)


async def resume(platform: Platform, workspace_id: UUID, run_id: UUID, *, by: str) -> Controlled:
    """Let a paused run go on. Also raises `Conflict` (`run_not_paused`)."""
    run = await _under_way(platform, workspace_id, run_id, "resumed")
    await _send(platform, run, names.RESUME_UPDATE, by, "resumed")
    await _note(platform, run, "run.resume")
    return await after(platform, run)


async def decide(
    platform: Platform,
    workspace_id: UUID,
    run_id: UUID,
    *,
    path: str | None,
    decision: DecisionKind,
    inputs: JsonObject | None = None,
    output: Json = None,
    by: str,
) -> Controlled:
    """Say what becomes of the held step at `path`, or of every held step of the run: tried again (with other inputs),
    skipped (with an output), or failed.

    Also raises `NotFound` (`step_not_found`), `Conflict` (`step_not_held`), `Invalid` (`invalid_decision`) and
    `TooLarge`.
    """
    check_decision(platform, decision, inputs, output)
    run = await _under_way(platform, workspace_id, run_id, "decided about")
    for each in await _held(platform, run) if path is None else [path]:
        chosen = Decision(path=each, decision=decision, inputs=inputs, output=output, by=by)
        try:
            await _send(platform, run, names.DECIDE_UPDATE, chosen, "decided about")
        except Conflict as refusal:
            if refusal.code != names.NOT_HELD:
                raise
            raise await _not_held(platform, run, each) from refusal
        after_ = {"step_path": each, "decision": decision, "other_inputs": sorted(inputs or {})}
        await _note(platform, run, "run.decide", after=after_)
    return await after(platform, run)


def check_decision(platform: Platform, decision: DecisionKind, inputs: JsonObject | None, output: Json) -> None:
    """Refuse a decision that no run would take. Raises `Invalid` (`invalid_decision`) and `TooLarge`."""
    problems = []
    if inputs is not None and decision != "retry":
        problems.append(Problem("inputs", f"cannot be given with {decision}", "only a retry takes inputs"))
    if output is not None and decision != "skip":
        problems.append(Problem("output", f"cannot be given with {decision}", "only a skipped step is given an output"))
    if problems:
        detail = "; ".join(f"{problem.path}: {problem.message}, {problem.hint}" for problem in problems)
        raise Invalid(names.INVALID_DECISION, detail, problems)
    size, limit = len(json.dumps([inputs, output], ensure_ascii=False).encode()), platform.settings.max_event_bytes
    if size > limit:
        raise TooLarge("decision_too_large", f"The decision has {size} bytes, more than the {limit} it may have.")


async def signal(
    platform: Platform, workspace_id: UUID, run_id: UUID, *, type: str | None, data: Json, path: str | None = None
) -> Controlled:
    """Give the run an event of its own, for the wait at `path` or any wait it fits. It is no event of the workspace.

    Without `type` it is of the type the run waits for. Also raises `Conflict` (`run_not_waiting`,
    `event_type_needed`, `event_does_not_match`), `Invalid` and `TooLarge`.
    """
    run = await _under_way(platform, workspace_id, run_id, "signalled")
    event = {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": f"/v1/runs/{run_id}/signal",
        "type": await _awaited_type(platform, run, path) if type is None else type,
        "time": format_moment(datetime.now(UTC)),
        "data": data,
    }
    events.check([event], platform.settings.max_event_bytes)
    await _send(platform, run, names.SIGNAL_EVENT_UPDATE, SignalledEvent(event=event, path=path), "signalled")
    await _note(platform, run, "run.signal", after={"event": event["type"], "event_id": event["id"], "step_path": path})
    return await after(platform, run)


async def _under_way(platform: Platform, workspace_id: UUID, run_id: UUID, done: str) -> Run:
    """The run's row, which must be one that Temporal has. `done` says in an error what could not be done."""
    run = await runs.get(platform, workspace_id, run_id, live=False)
    if has_ended(run):
        raise _finished(run, done)
    if run.status == "pending":
        begins = "as soon as Temporal takes it" if run.queue is None else "when its workflow's limits let it in"
        raise Conflict(
            "run_pending",
            f"Run {run_id} is pending: it has not begun yet and cannot be {done}. It begins {begins}; cancelling works "
            "meanwhile.",
        )
    return run


async def _send(platform: Platform, run: Run, name: str, argument: object, done: str) -> None:
    try:
        await update(platform, run.id, name, argument)
    except NotUnderWay:
        raise await gone(platform, run, done) from None


async def _note(
    platform: Platform, run: Run, action: str, *, before: JsonObject | None = None, after: JsonObject | None = None
) -> None:
    await audit.note_done(
        platform.database, run.workspace_id, action, run.id, run.workflow_name, before=before, after=after
    )


async def after(platform: Platform, run: Run) -> Controlled:
    """The run as it is now. Its row is read last: a run that ends meanwhile writes that before it is over."""
    timeline = await timeline_of(platform, run)
    with suppress(Unavailable):  # it is done, whether or not the database can be asked about it
        run = await runs.get(platform, run.workspace_id, run.id, live=False)
    return Controlled(with_timeline(run, timeline), known=timeline is not None or has_ended(run))


async def gone(platform: Platform, run: Run, done: str) -> Conflict:
    """Temporal does not have it under way: the row says how it ended, now or in a moment."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + SETTLE_SECONDS
    while not has_ended(run) and clock.time() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        run = await runs.get(platform, run.workspace_id, run.id, live=False)
    if has_ended(run):
        return _finished(run, done)
    return Conflict(
        "run_lost",
        f"Run {run.id} cannot be {done}: it was {run.status} when last heard of, and Temporal no longer has it. Its "
        "end will be recorded in a few minutes; cancel it to have that now, then retry or redrive it.",
    )


def _finished(run: Run, done: str) -> Conflict:
    way = "redrive it to go on from where it stopped, or retry it from the start"
    if run.status == "completed":
        way = "start a new run of its workflow"
    return Conflict(
        "run_finished", f"Run {run.id} has ended already ({run.status}) and cannot be {done} any more: {way}."
    )


async def _held(platform: Platform, run: Run) -> list[str]:
    """Paths of the run's held steps. Raises `Conflict` when there is none."""
    paths = await _held_paths(platform, run)
    if not paths:
        raise Conflict(names.NOT_HELD, f"Run {run.id} is {run.status}: no step of it is held.")
    return paths


async def _held_paths(platform: Platform, run: Run) -> list[str]:
    if timeline := await timeline_of(platform, run):
        return [record.path for record in timeline.steps if record.status == "held"]
    async with platform.database.transaction(run.workspace_id) as session:
        return list(await step_store.held(session, run.workspace_id, run.id))


async def _not_held(platform: Platform, run: Run, path: str) -> Conflict | NotFound:
    held = ", ".join(await _held_paths(platform, run))
    way = f"held are: {held}" if held else "no step of it is held"
    found = await step_at(platform, run, path)
    if found is None:
        return NotFound("step_not_found", f"Run {run.id} has no step at {path!r} so far; {way}.")
    return Conflict(names.NOT_HELD, f"The step {path!r} of run {run.id} is {found.status}, not held; {way}.")


async def _awaited_type(platform: Platform, run: Run, path: str | None) -> str:
    """The one event type the run, or its wait at `path`, waits for."""
    waits = await _open_waits(platform, run)
    told = ", ".join(f"{place} ({event})" for place, event in waits.items()) or "nothing"
    types = set(waits.values()) if path is None else {waits[path]} if path in waits else set()
    if not types:
        where = "for an event" if path is None else f"for an event at {path!r}"
        raise Conflict(
            names.NOT_WAITING, f"Run {run.id} does not wait {where} just now; it waits for events at: {told}."
        )
    if len(types) > 1 or any("*" in one for one in types):
        raise Conflict(
            "event_type_needed",
            f"Run {run.id} waits for events at: {told}. Say with `event` which type this one is of.",
        )
    return types.pop()


async def _open_waits(platform: Platform, run: Run) -> dict[str, str]:
    """The event type each of the run's open waits waits for, by path."""
    if timeline := await timeline_of(platform, run):
        return {
            record.path: str(record.wait["event"])
            for record in timeline.steps
            if record.status == "waiting" and record.wait is not None and record.wait["kind"] == "event"
        }
    async with platform.database.transaction(run.workspace_id) as session:
        return {wait.path: wait.event for wait in await wait_store.open_of(session, run.workspace_id, run.id)}
