"""Handing runs over to Temporal. A run's row is committed before; until Temporal has the run, the row stays pending.

Nothing here can lose or double a run: the Temporal workflow's id is made from the run's, so that a start that is
repeated, after a crash or by several processes, finds the one that is there.
"""

import asyncio
import logging
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from temporalio.client import WorkflowHandle
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Run, Version
from app.json import Json
from app.services import plans, workspace_values
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.published import published
from app.services.turns import MOST_LEFT_SECONDS, NoTurn
from app.store import journals, limits, run_state, runs, versions, workspaces
from app.temporal import names
from app.temporal.messages import WALK, Carry, DataLimits, DelayLimit, JournalState, RunInput, RunResult, TriggerInfo
from app.temporal.plain import as_plain

START_SECONDS = 5.0
TURN_SECONDS = 5.0
"""How long a start waits for its workspace's turn; then the row stays pending, and upkeep hands it over."""
PENDING_FOR = timedelta(seconds=TURN_SECONDS + START_SECONDS)
"""How long a run that may begin is left to the one who asked for it, or let it in, before somebody else tries to start
it: until then it may wait for its turn, or be on its way."""
SUMMARY_BYTES = 200
"""Most Temporal takes as a workflow's static summary."""

TEMPORAL_ERRORS = (RPCError, RuntimeError, OSError, TimeoutError)
"""What the client raises while Temporal cannot be reached or does not answer as it should."""

logger = logging.getLogger(__name__)


async def launch(
    platform: Platform,
    run: Run,
    *,
    version: Version | None = None,
    workspace_name: str | None = None,
    journal: JournalState | None = None,
    noted_later: bool = False,
) -> Run:
    """Start the run's Temporal workflow, if it is not there yet; answers with the row as it is then.

    A run that must wait for its workflow's limits, or that a limit refused, is left as it is. When Temporal cannot be
    reached, or the workspace's turn does not come in time, the row stays pending, for `start_pending`. `version`,
    `workspace_name`, and the `journal` that a redriven run begins with, are read where the caller does not have them at
    hand. With `noted_later` the row is still pending when this answers, though the answer is running: the caller waits
    for the run's end and sees to `note` if it takes longer than a moment.
    """
    if run.queue is not None or has_ended(run):
        return run
    handed_over, _ = await _hand_over(platform, run, version, workspace_name, journal)
    return handed_over if noted_later or handed_over.status != "running" else await note(platform, handed_over)


async def note(platform: Platform, run: Run) -> Run:
    """Have the row of a run that was handed over say so; answers with it."""
    try:
        noted = await platform.launches.note(run.workspace_id, run.id, run.temporal_run_id)
        if noted is not None and noted.status != run.status:
            async with platform.database.transaction(run.workspace_id) as session:
                run = await runs.find(session, run.workspace_id, run.id) or run
    except Unavailable as error:
        # The run is kept and begun: to say that it was not would make its caller start another.
        logger.warning("run %s is begun and still noted as pending: %s", run.id, error.detail)
        return run
    if noted is None:
        return run
    run.temporal_run_id, run.started_at = noted.temporal_run_id, run.started_at or noted.started_at
    run.updated_at = max(run.updated_at, noted.updated_at)
    if noted.status == "cancelled":
        # Cancelled while it was being handed over: Temporal may have begun it after the cancelling looked for it.
        await _cancel_quietly(platform, run.id)
    elif noted.cancel_due:
        await tell_to_cancel(platform, run.workspace_id, run.id)
    return run


async def _hand_over(
    platform: Platform,
    run: Run,
    version: Version | None,
    workspace_name: str | None,
    journal: JournalState | None = None,
) -> tuple[Run, bool]:
    """The run, running if Temporal has it now, and whether it is worth while to go on with another one."""
    if version is None or workspace_name is None:
        async with platform.database.transaction(run.workspace_id) as session:
            version = await versions.find(session, run.workspace_id, run.workflow_id, run.version)
            workspace = await workspaces.find(session, run.workspace_id)
        workspace_name = workspace.name if workspace else ""
    if version is None:
        return await _never(platform, run, "the workflow was deleted before the run could begin"), True
    if run.redriven_from is not None and journal is None:
        async with platform.database.transaction(run.workspace_id) as session:
            kept = await journals.find(session, run.workspace_id, run.id)
        if kept is None:
            return await _never(platform, run, "what the run was to go on from is gone"), True
        journal = kept.journal
    try:
        async with platform.turns.turn(run.workspace_id, within=TURN_SECONDS), asyncio.timeout(START_SECONDS):
            temporal_run_id = await _start(platform, run, version, workspace_name, journal)
    except NoTurn:
        logger.info("run %s stays pending: many others of its workspace are being started", run.id)
        return run, False
    except (*TEMPORAL_ERRORS, Unavailable) as error:
        # Unavailable: a large input is kept in the database before Temporal gets a reference to it.
        refused = isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT
        level = logging.ERROR if refused else logging.WARNING
        logger.log(level, "run %s stays pending: Temporal did not take it (%s)", run.id, error or type(error).__name__)
        return run, refused
    run.status, run.temporal_run_id = "running", temporal_run_id
    return run, True


async def start_pending(
    platform: Platform, workspace_id: UUID, limit: int, *, older_than: timedelta = PENDING_FOR
) -> int:
    """Start runs whose start was lost or could not be made, oldest first; answers how many Temporal has now.

    One after the other, and each leaves as long as it took to other workspaces, whose starts this process does not see.
    """
    async with platform.database.transaction(workspace_id) as session:
        waiting = await runs.pending(session, workspace_id, older_than=older_than, limit=limit)
    started, took = 0, 0.0
    for run in waiting:
        await asyncio.sleep(min(took, MOST_LEFT_SECONDS))
        began = time.monotonic()
        handed_over, more = await _hand_over(platform, run, None, None)
        if not more:
            break
        if handed_over.status == "running":
            handed_over = await note(platform, handed_over)
        started += handed_over.status != "pending"
        took = time.monotonic() - began
    return started


async def handle_of(platform: Platform, run_id: UUID) -> WorkflowHandle[Json, RunResult]:
    """The run's Temporal workflow. Raises one of `TEMPORAL_ERRORS` while Temporal cannot be reached."""
    client = await platform.temporal.client()
    return client.get_workflow_handle(names.workflow_id(str(run_id)), result_type=RunResult)


async def _start(
    platform: Platform, run: Run, version: Version, workspace_name: str, journal: JournalState | None
) -> str | None:
    client = await platform.temporal.client()
    values = await workspace_values.of_run(platform, run.workspace_id, run.id, version)
    delay_limit = await _delay_limit(platform, run.workspace_id, version)
    try:
        handle = await client.start_workflow(
            names.AUTOMATION_WORKFLOW,
            replace(_input(platform, run, version, workspace_name, journal), delay_limit=delay_limit, **values),
            id=names.workflow_id(str(run.id)),
            task_queue=names.TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(names.WORKSPACE, str(run.workspace_id)),
                    SearchAttributePair(names.WORKFLOW, str(run.workflow_id)),
                    SearchAttributePair(names.STATUS, "running"),
                    SearchAttributePair(names.TRIGGER, run.trigger_type),
                ]
            ),
            static_summary=_summary(run.workflow_name),
            static_details=_details(run),
            priority=Priority(fairness_key=str(run.workspace_id)),
            rpc_timeout=timedelta(seconds=START_SECONDS),
        )
    except WorkflowAlreadyStartedError as error:
        return error.run_id
    return handle.first_execution_run_id


def _input(
    platform: Platform, run: Run, version: Version, workspace_name: str, journal: JournalState | None
) -> RunInput:
    return RunInput(
        workspace_id=str(run.workspace_id),
        workspace_name=workspace_name,
        run_id=str(run.id),
        workflow_id=str(run.workflow_id),
        workflow_name=run.workflow_name,
        version=run.version,
        digest=version.digest,
        definition=version.definition,
        trigger=TriggerInfo(
            type=run.trigger_type, data=run.input, event_id=run.trigger_event_id, event=run.trigger_event
        ),
        created_at=run.created_at.isoformat(),
        variables=run.variables,
        walk=WALK,
        limits=DataLimits(
            step_output=platform.settings.max_step_output_bytes,
            outputs=platform.settings.max_run_data_bytes,
            whole=True,
        ),
        carry=None if journal is None else as_plain(Carry(journal=journal)),
        parent_run_id=str(run.parent_run_id) if run.parent_waits else None,
    )


async def _delay_limit(platform: Platform, workspace_id: UUID, version: Version) -> DelayLimit | None:
    """How long a delay of the run may last; nothing is asked where the version has none."""
    if not published(version).delays:
        return None
    plan = await plans.lately(platform, workspace_id)
    return None if plan.delay_seconds is None else DelayLimit(plan=plan.name, seconds=plan.delay_seconds)


def _summary(name: str) -> str:
    return " ".join(name.split()).encode()[:SUMMARY_BYTES].decode(errors="ignore")


def _details(run: Run) -> str:
    by = f"{run.trigger_type}, event `{run.trigger_event_id}`" if run.trigger_event_id else run.trigger_type
    details = f"Run `{run.id}` of workflow `{run.workflow_id}`, version {run.version}\n\nTrigger: {by}"
    if run.parent_run_id is not None:
        details += f", step `{run.parent_path}` of run `{run.parent_run_id}`"
    if run.retry_of is None:
        return details
    again = "Retry" if run.redriven_from is None else f"Redrive from `{run.redriven_from}`"
    return f"{details}\n\n{again} of run `{run.retry_of}`, attempt {run.attempt}"


async def _never(platform: Platform, run: Run, why: str) -> Run:
    """Without its version, or without the journal it goes on from, a pending run cannot begin any more."""
    error = {"type": "cancelled", "message": why}
    async with platform.database.transaction(run.workspace_id) as session:
        ended = await runs.end(
            session, run.workspace_id, run.id, status="cancelled", error=error, only_from=["pending"]
        )
    return ended or run


async def tell_to_cancel(platform: Platform, workspace_id: UUID, run_id: UUID) -> None:
    """Have Temporal cancel a run that was replaced, and note that it was told: upkeep repeats what it was not."""
    if not await _cancel_quietly(platform, run_id):
        return
    try:
        async with platform.database.transaction(workspace_id) as session:
            await limits.note_cancelled(session, workspace_id, run_id)
    except Unavailable as error:
        logger.warning("run %s was replaced and will be cancelled once more: %s", run_id, error.detail)


async def _cancel_quietly(platform: Platform, run_id: UUID) -> bool:
    """Whether Temporal was told, or has no such run under way."""
    try:
        async with asyncio.timeout(START_SECONDS):
            await (await handle_of(platform, run_id)).cancel(rpc_timeout=timedelta(seconds=START_SECONDS))
    except TEMPORAL_ERRORS as error:
        if not (isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND):
            logger.warning("run %s was cancelled and goes on in Temporal: %s", run_id, error)
            return False
    return True


def has_ended(run: Run) -> bool:
    """Whether the run is in a state it never leaves."""
    return run.status in run_state.ENDED
