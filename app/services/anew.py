"""What retry and redrive share: which runs may be run anew, and the row of the run that takes a run's place."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import Run, Version, Workflow
from app.json import Json
from app.services import admission
from app.services.errors import Conflict, NotFound
from app.services.launching import has_ended
from app.services.published import published
from app.store import retries
from app.store import runs as store

_WAYS_OUT = {
    "pending": "it begins as soon as Temporal takes it and its workflow's limits let it in; cancel it if it must not",
    "held": "decide about its held step, or cancel it",
    "paused": "resume it, or cancel it",
}


@dataclass(frozen=True, slots=True)
class Original:
    """The run that is run anew, with the version the new run takes."""

    run: Run
    workflow: Workflow
    version: Version
    workspace_name: str


def request_digest(*asked: Json) -> str:
    """SHA-256 of what is asked for: an idempotency key must not be used for something else."""
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


async def claim(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    idempotency_key: str | None,
    digest: str,
    *,
    version: int | None = None,
) -> tuple[Original, Run | None]:
    """The run, held fast until the transaction ends, and the run that a request with the same key made of it before.

    `version` None is the run's own. Raises `NotFound` (`run_not_found`, `version_not_found`) and `Conflict`
    (`run_completed`, `run_under_way`, `workflow_deleted`, `workflow_archived`, `idempotency_key_reused`,
    `already_retried`).
    """
    run = await retries.lock(session, workspace_id, run_id)
    if run is None:
        raise NotFound("run_not_found", f"There is no run {run_id}.")
    _require_ended(run)
    original = await _original(session, run, run.version if version is None else version)
    existing = await _same_request(session, run, idempotency_key, digest)
    if existing is None:
        await _require_free(session, run)
    return original, existing


async def _original(session: AsyncSession, run: Run, number: int) -> Original:
    found = await store.startable(session, run.workspace_id, run.workflow_id, number)
    if found is None:
        raise Conflict(
            "workflow_deleted", f'The workflow "{run.workflow_name}" of run {run.id} was deleted: nothing can run it.'
        )
    workflow, definition, workspace_name = found
    if workflow.status not in ("active", "paused"):
        raise Conflict(
            "workflow_archived",
            f'The workflow "{workflow.name}" of run {run.id} is {workflow.status}: activate it, or pause it, first.',
        )
    if definition is None:
        raise NotFound("version_not_found", f'The workflow "{workflow.name}" has no version {number}.')
    return Original(run, workflow, definition, workspace_name)


def _require_ended(run: Run) -> None:
    if run.status == "completed":
        raise Conflict(
            "run_completed",
            f"Run {run.id} has completed: there is nothing to repair. Start a new run of its workflow instead.",
        )
    if not has_ended(run):
        way = _WAYS_OUT.get(run.status, "wait for its end, or cancel it")
        raise Conflict("run_under_way", f"Run {run.id} has not ended, it is {run.status}: {way}.")


async def _require_free(session: AsyncSession, run: Run) -> None:
    """Raises `Conflict` when another run is under way in this one's place."""
    other = await retries.unfinished(session, run.workspace_id, run.id)
    if other is not None:
        kind = "retried" if other.redriven_from is None else "redriven"
        raise Conflict(
            "already_retried",
            f"Run {run.id} is being {kind} already: run {other.id} is {other.status}. Wait for its end, or cancel it.",
        )


async def _same_request(session: AsyncSession, run: Run, idempotency_key: str | None, digest: str) -> Run | None:
    if idempotency_key is None:
        return None
    existing = await store.with_key(session, run.workspace_id, run.workflow_id, idempotency_key)
    if existing is not None and existing.request_digest != digest:
        raise Conflict("idempotency_key_reused", f"This Idempotency-Key made run {existing.id}; use a new one.")
    return existing


async def add_run(session: AsyncSession, original: Original, request: tuple[str | None, str], **columns: Any) -> Run:
    """Insert the run that takes the original's place: with its input, trigger and the variables it was given.

    `request` is its own idempotency key, if any, and what was asked for. Its workflow's limits may have it wait, or
    refuse it: raises `TooMany`, `Invalid` (`invalid_limit_key`) and, when the original is a start that was refused,
    `Conflict` (`already_run_once`).
    """
    key, digest = request
    old = original.run
    run = Run(
        **{
            "workspace_id": old.workspace_id,
            "id": uuid7(),
            "workflow_id": old.workflow_id,
            "workflow_name": original.workflow.name,
            "version": original.version.number,
            "status": "pending",
            "trigger_type": old.trigger_type,
            "trigger_event_id": old.trigger_event_id,
            "trigger_event": old.trigger_event,
            "input": old.input,
            "output": None,
            "error": None,
            "variables": old.variables if old.given_variables is None else old.given_variables,
            "current_step": None,
            "waiting_for": None,
            "parent_run_id": None,
            "depth": old.depth,
            "cause_depth": old.cause_depth,
            "conversation": old.conversation,
            "response": None,
            "retry_of": old.id,
            "attempt": old.attempt + 1,
            "steps_completed": 0,
            "steps_total": published(original.version).steps_total,
            "temporal_run_id": None,
            "idempotency_key": key,
            "request_digest": digest if key is not None else None,
            "redriven_from": None,
            "started_at": None,
            "finished_at": None,
            **columns,
        }
    )
    limits = published(original.version).limits
    if original.version.number != original.workflow.active_version:
        limits = await admission.limits_of(session, old.workspace_id, old.workflow_id)
    anew = await retries.counts_as_start(session, old.workspace_id, old.id)
    added = await admission.add(session, run, limits, workspace_name=original.workspace_name, anew=anew)
    if added is None:
        # The original is held fast, so that the key went to another request for the workflow just now.
        raise Conflict(
            "idempotency_key_reused", "This Idempotency-Key is being used by another request; use a new one."
        )
    if added is not run:
        raise Conflict(
            "already_run_once",
            f"Run {old.id} was refused, and run {added.id} has its key of settings.run_once_per since: that one can be "
            "retried or redriven, if it did not complete.",
        )
    return run
