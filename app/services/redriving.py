"""Redrive: a run that failed, was cancelled or timed out goes on in a new one, from where it stopped or from before.

The new run begins with the old one's journal up to that step. Row, journal and the rows of what is finished are one
transaction, so that a start that is lost can be made again.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.api.errordetails.v1 import WorkflowNotReadyFailure
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from app.db.models import Run
from app.definition.durations import format_moment
from app.definition.parse import parse
from app.json import JsonObject, json_size
from app.services import audit, workspace_values
from app.services.anew import Original, add_run, claim, request_digest
from app.services.errors import Conflict, Unavailable
from app.services.launching import TEMPORAL_ERRORS, handle_of
from app.services.platform import Platform
from app.services.queues import begin
from app.services.seeding import Before, Row, Seed, seed
from app.services.steering import is_unknown
from app.store import journals, versions
from app.temporal import names
from app.temporal.messages import JournalState
from app.temporal.plain import as_plain

QUERY_SECONDS = 12.0
"""Temporal has to read a whole history for a journal that was not kept."""
SETTLE_SECONDS = 2.0
"""When a run was ended from outside, its worker hears of it later."""
MOST_CARRIED = 16 * 1024 * 1024
"""Bytes of JSON of what a run may bring along."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a redrive is made from: the run, the definition it had, its journal and its rows."""

    original: Original
    definition: JsonObject
    journal: JournalState
    rows: list[Row]


async def redrive(
    platform: Platform,
    workspace_id: UUID,
    run_id: UUID,
    *,
    from_step: str | None = None,
    version: int | None = None,
    idempotency_key: str | None = None,
) -> Run:
    """A new run that goes on where the run stopped, or from `from_step` (a path or an id). Answers with the new run.

    `version` takes another version of the workflow, in which everything that is finished must be the same. The same
    idempotency key answers with the run it made.

    Raises `NotFound`, `Invalid` (`unknown_step`, `step_always_anew`), `Conflict` (those of `retry`, `journal_gone`,
    `journal_too_large`, `step_not_reached`, `step_not_kept`, `step_compensated`, `version_differs`), and `Unavailable`
    when the journal has to be asked for and nobody answers.
    """
    digest = request_digest("redrive", str(run_id), from_step, version)
    async with platform.database.transaction(workspace_id) as session:
        original, existing = await claim(session, workspace_id, run_id, idempotency_key, digest, version=version)
        if existing is not None:
            return existing
    made = await asyncio.to_thread(_seed, await _found(platform, original), from_step)
    async with platform.database.transaction(workspace_id) as session:
        # Nothing kept others from it meanwhile.
        original, existing = await claim(session, workspace_id, run_id, idempotency_key, digest, version=version)
        if existing is not None:
            return existing
        run = await add_run(
            session,
            original,
            (idempotency_key, digest),
            redriven_from=made.from_step,
            steps_completed=made.journal.completed,
        )
        begun = workspace_values.passed_on(platform, workspace_id, run_id, run.id, made.journal.begun)
        journal = replace(made.journal, begun=begun)
        await journals.seed(session, workspace_id, run.id, journal)
        await journals.take_over(session, workspace_id, run_id, run.id, finished=made.finished, done=made.done)
        await journals.add_steps(session, workspace_id, run.id, made.unwritten)
        after = {"new_run_id": str(run.id), "from_step": made.from_step, "version": run.version}
        await audit.note(session, "run.redrive", run_id, run.workflow_name, after=after)
    return await begin(platform, run, version=original.version, workspace_name=original.workspace_name, journal=journal)


async def _found(platform: Platform, original: Original) -> _Found:
    run = original.run
    async with platform.database.transaction(run.workspace_id) as session:
        version = await versions.find(session, run.workspace_id, run.workflow_id, run.version)
        kept = await journals.find(session, run.workspace_id, run.id)
    assert version is not None, "versions stay as long as their workflow"
    if kept is not None and not kept.is_seed:
        journal = kept.journal
    else:
        journal = await _journal_of(platform, run, kept.journal if kept else None)
        # Since its row ended nothing is begun in the run's name; what was under way by then has a row a second later.
        await asyncio.sleep(max(0.0, SETTLE_SECONDS - (datetime.now(UTC) - run.updated_at).total_seconds()))
    async with platform.database.transaction(run.workspace_id) as session:
        rows = await journals.rows(session, run.workspace_id, run.id)
    return _Found(original, version.definition, journal, [Row(row.path, row.status, row.effect_key) for row in rows])


def _seed(found: _Found, from_step: str | None) -> Seed:
    """Takes a moment for a large journal: not for the event loop."""
    run, version, journal = found.original.run, found.original.version, found.journal
    old = parse(found.definition)
    made = seed(
        Before(
            run_id=str(run.id),
            journal=journal,
            definition=old,
            error_path=(run.error or {}).get("path"),
            rows=found.rows,
        ),
        old if version.number == run.version else parse(version.definition),
        version=version.number,
        from_step=from_step,
        now=datetime.now(UTC),
        run_started_at=journal.run_started_at or format_moment(run.created_at),
    )
    if (size := json_size(as_plain(made.journal))) > MOST_CARRIED:
        raise Conflict(
            "journal_too_large",
            f"Run {run.id} remembers {size:,} bytes, more than the {MOST_CARRIED:,} a run can begin with: redrive from "
            "an earlier step, or retry it.",
        )
    return made


async def _journal_of(platform: Platform, run: Run, seed: JournalState | None) -> JournalState:
    """The journal of a run that was ended from outside and could not keep it itself: its history still knows.

    Where Temporal knows nothing, a redriven run has got no further than what it began with, as far as its rows do not
    tell of more.
    """
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            handle = await handle_of(platform, run.id)
            journal: JournalState = await handle.query(
                names.JOURNAL_QUERY, result_type=JournalState, rpc_timeout=timedelta(seconds=QUERY_SECONDS)
            )
            return journal
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        raise _gone(run) from error
    except TEMPORAL_ERRORS as error:
        if is_unknown(error) and seed is None:
            raise _gone(run) from error
        if is_unknown(error) or _never_noted(error):
            return seed or JournalState()
        raise Unavailable(
            "temporal_unavailable",
            f"The journal of run {run.id} has to be asked of Temporal and a worker, and neither answered in time; try "
            "again in a moment, or retry the run from its start.",
        ) from error


def _never_noted(error: BaseException) -> bool:
    """Whether the run was ended before Temporal was told anything of it: what it did by then, its rows tell."""
    status = error.grpc_status if isinstance(error, RPCError) else None
    return status is not None and any(detail.Is(WorkflowNotReadyFailure.DESCRIPTOR) for detail in status.details)


def _gone(run: Run) -> Conflict:
    return Conflict(
        "journal_gone", f"What run {run.id} had done is not known any more, or it never began: retry it from its start."
    )
