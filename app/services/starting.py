"""Starting a run: what a request for one must be, and the row that nothing can lose. How a run gets into Temporal is
`launching`'s subject, what its workflow's limits make of it is `admission`'s.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.engine import Statement, execute
from app.db.models import Run, Version, Workflow
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import admission, audit, queues, standing
from app.services.audit import Made
from app.services.errors import Conflict, Invalid, NotFound, ServiceError, TooLarge
from app.services.input_schema import check_input
from app.services.parents import Parent, depths_below
from app.services.platform import Platform
from app.services.published import Active, Published, published
from app.store import conversations, starting, workflow_variables
from app.store import runs as store
from app.store.events import depth_of

MAX_RUN_BYTES = 1_800_000
"""Temporal takes two megabytes as a workflow's input; the rest is room for what else stands in it."""


class ConversationUnderWay(Exception):
    """A run of the workflow is in conversation with the contact already."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and whether this request made it or an earlier one with the same idempotency key."""

    run: Run
    created: bool


@dataclass(frozen=True, slots=True)
class BySchedule:
    """The schedule that starts a run, and the id of the Temporal workflow that is told of its end."""

    schedule_id: UUID
    waiting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    workspace_id: UUID
    workflow_id: UUID
    input: Json
    version: int | None
    variables: JsonObject | None
    idempotency_key: str | None
    trigger_type: str
    event: JsonObject | None
    parent: Parent | None
    received_at: datetime | None
    conversation: str | None
    schedule: BySchedule | None
    digest: str | None
    """Of what was asked for, where a repeat must ask for the same."""


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
    received_at: datetime | None = None,
    conversation: str | None = None,
    schedule: BySchedule | None = None,
    noted_later: bool = False,
) -> Started:
    """Start a run of the workflow's active version, or of `version`. `event` is the envelope of what triggers it,
    `received_at` when that came, if runs have to keep this order. `conversation` is the contact the run is in
    conversation with, `parent` the step of another run that asks for it, `schedule` whose moment has come.

    The run is committed as pending before Temporal hears of it, so that nothing can lose it. The same idempotency key
    gives the same run. Its workflow's limits may have it wait, or answer with the run of an earlier start; what they
    refuse of an event or a schedule is a run that never began. With `noted_later` the caller sees to `launching.note`,
    should the run not end at once.

    Raises `NotFound`, `Conflict` (`workflow_not_active`, `idempotency_key_reused`), `Invalid` (the input does not fit,
    unknown variables, `invalid_limit_key`), `TooLarge`, `TooMany` and `Forbidden` (`workspace_suspended`,
    `plan_limit_reached`); of a conversation also `ConversationUnderWay`, of a parent `Conflict` (`parent_ended`,
    `runs_nested_too_deep`).
    """
    _check_size(platform, input)
    if parent is None and event is None:
        # An event is not refused but waits: that is for its dispatch to ask. A child is part of a run under way.
        await standing.require_open(platform, workspace_id)
    asked = idempotency_key is not None and event is None and parent is None and schedule is None
    request = _Request(
        workspace_id=workspace_id,
        workflow_id=workflow_id,
        input=input,
        version=version,
        variables=variables,
        idempotency_key=idempotency_key,
        trigger_type=trigger_type,
        event=event,
        parent=parent,
        received_at=received_at,
        conversation=conversation,
        schedule=schedule,
        digest=_digest(input, version, variables) if asked else None,
    )
    added = await _added(platform, request)
    if isinstance(added, Started):
        return added
    run, active = added
    begun = await queues.begin(
        platform, run, version=active.version, workspace_name=active.workspace_name, noted_later=noted_later
    )
    return Started(begun, created=True)


async def _added(platform: Platform, request: _Request) -> Started | tuple[Run, Active]:
    """Insert the run, the short way if its workflow was started by this process before; `Started` when another run
    stands for it."""
    workflow = request.workspace_id, request.workflow_id
    plain = request.version is None and request.parent is None and request.conversation is None
    if plain and (active := platform.actives.get(workflow)) is not None:
        run = await _add_as_before(platform, request, active)
        if run is not None:
            return run, active
    async with platform.database.transaction(request.workspace_id) as session:
        added = await _add(session, request)
    if not isinstance(added, Started):
        _, active = added
        if request.version is None and active.facts.limits is None:
            platform.actives.put(workflow, active)
    return added


async def _add_as_before(platform: Platform, request: _Request, active: Active) -> Run | None:
    """Insert the run in one round trip if the workflow is as it was at the last start; None when it may not be, or when
    anything is to be said about the request."""
    run = _new_run(request, active.workflow_name, active.version, variables=request.variables or {})
    try:
        _check_request(active.facts, request)
        _check_whole(active.facts, run)
    except ServiceError:
        return None
    statements = [starting.add(run, workspace_name=active.workspace_name)]
    noted = _noted(request, run, Made("run", str(run.id)))
    written, *_ = await platform.database.run(request.workspace_id, *statements, *([noted] if noted else []))
    if not written:
        return None
    run.created_at, run.updated_at = written[0]
    return run


async def _add(session: AsyncSession, request: _Request) -> Started | tuple[Run, Active]:
    """Insert the run as its workflow's limits have it; `Started` when another one stands for it."""
    workspace_id, workflow_id, key = request.workspace_id, request.workflow_id, request.idempotency_key
    if key is not None:
        existing = await store.with_key(session, workspace_id, workflow_id, key)
        if existing is not None:
            return Started(_same_request(existing, request.digest), created=False)
    found = await store.startable(session, workspace_id, workflow_id, request.version)
    if found is None:
        raise NotFound("workflow_not_found", f"There is no workflow {workflow_id}.")
    workflow, definition, workspace_name = found
    definition = _active(workflow, definition, request.version)
    active = Active(workflow.name, workspace_name, definition, published(definition))
    limits = active.facts.limits
    if definition.number != workflow.active_version:
        limits = await admission.limits_of(session, workspace_id, workflow_id)
    _check_request(active.facts, request)
    depth, cause_depth = await depths_below(session, workspace_id, request.parent)
    if request.conversation is not None:
        await _claim(session, workspace_id, workflow_id, request.conversation)
    kept = await workflow_variables.kept(session, workspace_id, workflow_id)
    run = _new_run(request, workflow.name, definition, variables={**kept, **(request.variables or {})}, depth=depth)
    run.cause_depth = max(run.cause_depth, cause_depth)
    _check_whole(active.facts, run)
    noting = request.event is not None or request.schedule is not None
    added = await admission.add(session, run, limits, workspace_name=workspace_name, noting=noting)
    if added is run:
        if (noted := _noted(request, run)) is not None:
            await execute(session, noted)
        return run, active
    if added is not None:
        return Started(added, created=False)
    assert key is not None, "ids are new"
    existing = await store.with_key(session, workspace_id, workflow_id, key)
    assert existing is not None, "runs are not deleted"
    return Started(_same_request(existing, request.digest), created=False)


def _noted(request: _Request, run: Run, made: Made | None = None) -> Statement | None:
    """The audit log's entry of a run that somebody starts by hand. What else starts runs is told of by events,
    schedules and runs themselves."""
    if request.event is not None or request.parent is not None or request.schedule is not None:
        return None
    after: JsonObject = {"workflow_id": str(run.workflow_id), "version": run.version}
    if run.idempotency_key is not None:
        after["idempotency_key"] = run.idempotency_key
    return audit.statement("run.start", run.id, run.workflow_name, after=after, made=made)


async def _claim(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, contact: str) -> None:
    if await conversations.claim(session, workspace_id, workflow_id, contact) is not None:
        raise ConversationUnderWay


def _new_run(request: _Request, name: str, version: Version, *, variables: JsonObject, depth: int = 0) -> Run:
    event, parent, schedule = request.event, request.parent, request.schedule
    return Run(
        workspace_id=request.workspace_id,
        id=uuid7() if request.received_at is None else id_since(request.received_at),
        workflow_id=request.workflow_id,
        workflow_name=name,
        version=version.number,
        status="pending",
        trigger_type=request.trigger_type,
        trigger_event_id=event["id"] if event else None,
        trigger_event=event,
        input=request.input,
        output=None,
        error=None,
        variables=variables,
        current_step=None,
        waiting_for=None,
        parent_run_id=parent.run_id if parent else None,
        parent_path=parent.path if parent else None,
        parent_waits=parent is not None and parent.waits,
        depth=depth,
        cause_depth=depth_of(event.get("caused_by")) if event else 0,
        conversation=request.conversation,
        schedule_id=schedule.schedule_id if schedule else None,
        told_workflow=schedule.waiting if schedule else None,
        response=None,
        retry_of=None,
        attempt=1,
        steps_completed=0,
        steps_total=published(version).steps_total,
        idempotency_key=request.idempotency_key,
        request_digest=request.digest,
        temporal_run_id=None,
        started_at=None,
        finished_at=None,
    )


def id_since(moment: datetime) -> UUID:
    """The id of a run, as if it had been made then: ids of later moments are higher, to the microsecond (RFC 9562,
    6.2, method 3)."""
    millis, micros = divmod((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), 1000)
    time = millis << 80 | 0x7 << 76 | (micros * 4096 // 1000) << 64
    return UUID(int=time | 0b10 << 62 | secrets.randbits(62))


def first_id_since(moment: datetime) -> UUID:
    """The lowest id a run may have that is asked for then or later, to the millisecond."""
    millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return UUID(int=millis << 80)


def _active(workflow: Workflow, definition: Version | None, number: int | None) -> Version:
    if workflow.status != "active":
        raise Conflict(
            "workflow_not_active",
            f'The workflow "{workflow.name}" is {workflow.status}: publish or activate it, then start runs.',
        )
    if definition is None:
        raise NotFound("version_not_found", f'The workflow "{workflow.name}" has no version {number}.')
    return definition


def _check_request(facts: Published, request: _Request) -> None:
    unknown = sorted(set(request.variables or {}) - facts.variables)
    if unknown:
        known = ", ".join(sorted(facts.variables)) or "none"
        problems = [
            Problem(f"variables.{name}", "the workflow has no such variable", f"known: {known}") for name in unknown
        ]
        raise Invalid("unknown_variables", f"variables: unknown {', '.join(unknown)}; known: {known}", problems)
    if request.trigger_type not in ("manual", "workflow") or not facts.input_schemas:
        return
    check_input(request.input, *facts.input_schemas)


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
