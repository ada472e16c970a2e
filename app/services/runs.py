"""Runs: start one, look into it, wait for its end, cancel it. How a run gets into Temporal is `launching`'s subject."""

import asyncio
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from temporalio.client import WorkflowFailureError
from uuid_utils.compat import uuid7

from app.db.models import Run, Version, Workflow
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import admission, queues
from app.services.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from app.services.input_schema import check_input
from app.services.launching import TEMPORAL_ERRORS, handle_of, has_ended, launch, start_pending
from app.services.live import StepView, timeline_of, with_timeline
from app.services.live import steps as live_steps
from app.services.paging import Page, decode_cursor, page_of, plain_text, whole_number
from app.services.parents import Parent, depth_below
from app.services.platform import Platform
from app.services.published import Published, published
from app.services.steering import is_under_way, is_unknown
from app.store import runs as store
from app.store import workflow_variables
from app.store.runs import RunFilter
from app.temporal.messages import Timeline

__all__ = [
    "RunFilter", "Started", "StepView", "cancel", "get", "has_ended", "launch", "list_", "request_cancel", "start",
    "start_pending", "steps", "timeline", "wait_for_end",
]  # fmt: skip

MAX_RUN_BYTES = 1_800_000
"""Temporal takes two megabytes as a workflow's input; the rest is room for what else stands in it."""
CANCEL_SECONDS = 5.0
POLL_SECONDS = 0.1
SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and whether this request made it or an earlier one with the same idempotency key."""

    run: Run
    created: bool


async def start(
    platform: Platform,
    workspace_id: UUID,
    workflow_id: UUID,
    *,
    input: Json,
    version: int | None = None,
    variables: JsonObject | None = None,
    idempotency_key: str | None = None,
    trigger_type: str = "manual",
    event: JsonObject | None = None,
    parent: Parent | None = None,
) -> Started:
    """Start a run of the workflow's active version, or of `version`. `event` is the envelope of what triggers it,
    `parent` the step of another run that asks for it.

    The run is committed as pending before Temporal hears of it, so that nothing can lose it. The same idempotency key
    gives the same run. Its workflow's limits may have it wait, or answer with the run of an earlier start; what they
    refuse of an event is a run that never began.

    Raises `NotFound`, `Conflict` (`workflow_not_active`, `idempotency_key_reused`), `Invalid` (the input does not fit,
    unknown variables, `invalid_limit_key`), `TooLarge` and `TooMany`; of a parent also `Conflict` (`parent_ended`,
    `runs_nested_too_deep`).
    """
    _check_size(platform, input)
    asked = idempotency_key is not None and event is None and parent is None
    digest = _digest(input, version, variables) if asked else None
    async with platform.database.transaction(workspace_id) as session:
        if idempotency_key is not None:
            existing = await store.with_key(session, workspace_id, workflow_id, idempotency_key)
            if existing is not None:
                return Started(_same_request(existing, digest), created=False)
        found = await store.startable(session, workspace_id, workflow_id, version)
        if found is None:
            raise NotFound("workflow_not_found", f"There is no workflow {workflow_id}.")
        workflow, definition, workspace_name = found
        definition = _active(workflow, definition, version)
        facts = published(definition)
        limits = facts.limits
        if definition.number != workflow.active_version:
            limits = await admission.limits_of(session, workspace_id, workflow_id)
        _check_request(facts, input, variables, trigger_type)
        depth = await depth_below(session, workspace_id, parent)
        kept = await workflow_variables.kept(session, workspace_id, workflow_id)
        run = Run(
            workspace_id=workspace_id,
            id=uuid7(),
            workflow_id=workflow_id,
            workflow_name=workflow.name,
            version=definition.number,
            status="pending",
            trigger_type=trigger_type,
            trigger_event_id=event["id"] if event else None,
            trigger_event=event,
            input=input,
            output=None,
            error=None,
            variables={**kept, **(variables or {})},
            current_step=None,
            waiting_for=None,
            parent_run_id=parent.run_id if parent else None,
            parent_path=parent.path if parent else None,
            parent_waits=parent is not None and parent.waits,
            depth=depth,
            response=None,
            retry_of=None,
            attempt=1,
            steps_completed=0,
            steps_total=facts.steps_total,
            idempotency_key=idempotency_key,
            request_digest=digest,
            temporal_run_id=None,
            started_at=None,
            finished_at=None,
        )
        _check_whole(facts, run)
        added = await admission.add(session, run, limits, workspace_name=workspace_name, noting=event is not None)
        if added is None:
            assert idempotency_key is not None, "ids are new"
            existing = await store.with_key(session, workspace_id, workflow_id, idempotency_key)
            assert existing is not None, "runs are not deleted"
            return Started(_same_request(existing, digest), created=False)
        if added is not run:
            return Started(added, created=False)
    begun = await queues.begin(platform, run, version=definition, workspace_name=workspace_name)
    return Started(begun, created=True)


async def get(platform: Platform, workspace_id: UUID, run_id: UUID, *, live: bool = True) -> Run:
    """The run, brought up to what Temporal says of it while it is under way. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        run = await store.find(session, workspace_id, run_id)
    if run is None:
        raise NotFound("run_not_found", f"There is no run {run_id}.")
    return with_timeline(run, await timeline_of(platform, run)) if live else run


async def list_(
    platform: Platform,
    workspace_id: UUID,
    filter_: RunFilter,
    *,
    newest_first: bool = True,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Run]:
    """Runs as their rows stand, in the order they were asked for. Raises `Invalid` for a cursor of another list."""
    after = decode_cursor(cursor, UUID)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(
            session, workspace_id, filter_, after=after, newest_first=newest_first, limit=limit + 1
        )
    return page_of(found, limit, lambda run: str(run.id))


async def steps(
    platform: Platform,
    workspace_id: UUID,
    run_id: UUID,
    *,
    with_attempts: bool = False,
    limit: int = 200,
    cursor: str | None = None,
) -> Page[StepView]:
    """The run's step records in the order they began, those in flight too. Raises `NotFound`, `Invalid`."""
    run = await get(platform, workspace_id, run_id, live=False)
    after = decode_cursor(cursor, _read_step_place) or (-1, "")
    found = await live_steps(platform, run, after=after, limit=limit + 1, with_attempts=with_attempts)
    return page_of(found, limit, lambda view: [view.step.sequence, view.step.path])


async def timeline(platform: Platform, workspace_id: UUID, run_id: UUID) -> Timeline | None:
    """What the run's Temporal workflow says of itself; None when that cannot be had within two seconds."""
    return await timeline_of(platform, await get(platform, workspace_id, run_id, live=False))


async def cancel(platform: Platform, workspace_id: UUID, run_id: UUID) -> Run:
    """Cancel the run and answer with it as it is then, after five seconds at the latest: its `finally` may take longer.

    Raises `NotFound`, `Conflict` (`run_finished`), and `Unavailable` while Temporal cannot be reached.
    """
    run = await get(platform, workspace_id, run_id, live=False)
    if has_ended(run):
        raise Conflict("run_finished", f"Run {run_id} has ended already ({run.status}); there is nothing to cancel.")
    cancelled = await request_cancel(platform, run)
    if cancelled is not None:
        return cancelled
    run = await wait_for_end(platform, run, CANCEL_SECONDS)
    if has_ended(run) or await is_under_way(platform, run_id):
        return run
    async with platform.database.transaction(workspace_id) as session:
        lost = await store.end(
            session, workspace_id, run_id, status="cancelled", error=_cancelled("Temporal no longer had it")
        )
    if lost is not None:
        await queues.release(platform, workspace_id, run.workflow_id, run.concurrency_key)
    return lost or await get(platform, workspace_id, run_id, live=False)


async def request_cancel(platform: Platform, run: Run) -> Run | None:
    """Have the run cancelled without waiting for it; the row of one that had not begun, which is cancelled at once.

    Raises `Unavailable` while Temporal cannot be reached. A run Temporal does not have is left as it is.
    """
    if run.status == "pending":
        async with platform.database.transaction(run.workspace_id) as session:
            cancelled = await store.end(
                session, run.workspace_id, run.id, status="cancelled", error=_cancelled("before it began"),
                only_from=["pending"],
            )  # fmt: skip
        if cancelled is not None:
            await _ask_temporal_to_cancel(platform, run.id, must=False)
            await queues.release(platform, run.workspace_id, run.workflow_id, run.concurrency_key)
            return cancelled
    await _ask_temporal_to_cancel(platform, run.id, must=True)
    return None


async def wait_for_end(platform: Platform, run: Run, seconds: float) -> Run:
    """The run's row once it has ended, or as it was last seen when `seconds` are over."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + seconds
    if not has_ended(run) and run.status != "pending":
        deadline = min(deadline, await _temporal_end(platform, run, deadline))
    while True:
        with suppress(Unavailable):  # the run goes on without the database, so its caller is not told that it does not
            run = await get(platform, run.workspace_id, run.id, live=False)
        left = deadline - clock.time()
        if has_ended(run) or left <= 0:
            return run
        await asyncio.sleep(min(POLL_SECONDS, left))


async def _temporal_end(platform: Platform, run: Run, deadline: float) -> float:
    """Wait for the end in Temporal; answers until when the row, which is written just before, may still be missing."""
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(deadline):
            await (await handle_of(platform, run.id)).result()
    except WorkflowFailureError:
        pass
    except TEMPORAL_ERRORS as error:
        if not is_unknown(error):
            return deadline
    return clock.time() + SETTLE_SECONDS


async def _ask_temporal_to_cancel(platform: Platform, run_id: UUID, *, must: bool) -> None:
    """Raises `Unavailable` when Temporal `must` be told and cannot be reached. It need not know the run."""
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            await (await handle_of(platform, run_id)).cancel(rpc_timeout=timedelta(seconds=CANCEL_SECONDS))
    except TEMPORAL_ERRORS as error:
        if must and not is_unknown(error):
            raise Unavailable("temporal_unavailable", "Temporal cannot be reached; try again in a moment.") from error


def _active(workflow: Workflow, definition: Version | None, number: int | None) -> Version:
    if workflow.status != "active":
        raise Conflict(
            "workflow_not_active",
            f'The workflow "{workflow.name}" is {workflow.status}: publish or activate it, then start runs.',
        )
    if definition is None:
        raise NotFound("version_not_found", f'The workflow "{workflow.name}" has no version {number}.')
    return definition


def _check_request(facts: Published, input: Json, variables: JsonObject | None, trigger_type: str) -> None:
    unknown = sorted(set(variables or {}) - facts.variables)
    if unknown:
        known = ", ".join(sorted(facts.variables)) or "none"
        problems = [
            Problem(f"variables.{name}", "the workflow has no such variable", f"known: {known}") for name in unknown
        ]
        raise Invalid("unknown_variables", f"variables: unknown {', '.join(unknown)}; known: {known}", problems)
    if trigger_type not in ("manual", "workflow") or not facts.input_schemas:
        return
    for place, schema in enumerate(facts.input_schemas, start=1):
        try:
            check_input(input, schema)
        except Invalid:
            if place == len(facts.input_schemas):
                raise
        else:
            return


def _check_size(platform: Platform, input: Json) -> None:
    limit = platform.settings.max_event_bytes
    if (size := len(json.dumps(input, ensure_ascii=False).encode())) > limit:
        raise TooLarge("input_too_large", f"The input has {size} bytes, more than the {limit} a run may be given.")


def _check_whole(facts: Published, run: Run) -> None:
    size = facts.size + len(json.dumps([run.input, run.variables, run.trigger_event]))
    if size > MAX_RUN_BYTES:
        raise TooLarge(
            "run_too_large",
            f"Definition, input and variables have {size} bytes, more than the {MAX_RUN_BYTES} a run may have.",
        )


def _read_step_place(key: Json) -> tuple[int, str]:
    return whole_number(key[0], bits=64), plain_text(key[1])


def _digest(input: Json, version: int | None, variables: JsonObject | None) -> str:
    text = json.dumps([input, version, variables or {}], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _same_request(run: Run, digest: str | None) -> Run:
    if digest is not None and run.request_digest != digest:
        raise Conflict(
            "idempotency_key_reused",
            f"This Idempotency-Key started run {run.id} with another input, version or variables; use a new key.",
        )
    return run


def _cancelled(how: str) -> JsonObject:
    return {"type": "cancelled", "message": f"the run was cancelled ({how})"}
