"""Writes the run's records through local activities: finished steps in batches, waits before they wait, the end.

Every write here may take as long as the database is away: the run holds still rather than losing a record. Effects
write their own rows and do not pass here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import NoneType
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from app.json import Json, JsonObject, json_size
from app.temporal import names
from app.temporal.messages import JournalState, RunResult, StepRecord
from app.temporal.payloads import LARGEST_TASK
from app.temporal.plain import as_plain
from app.temporal.record_messages import (
    LostEffect,
    LostEffects,
    OpenApproval,
    OpenedApproval,
    OpenedWait,
    OpenWait,
    RecordBatch,
    RunUpdate,
    WorkflowVariables,
)
from workflows.journal import Unwritten
from workflows.state import RunState
from workflows.tasks import leave_if_cancelled

BATCH = 50
"""Finished pure steps that are written together."""

_FOREVER = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(minutes=5))
_LOCAL_RETRIES = timedelta(seconds=10)
"""Pauses longer than this are Temporal's timers: a worker that holds on to its task keeps adding to the history."""
_ATTEMPT = timedelta(seconds=30)

ResultT = TypeVar("ResultT")


class Recorder:
    """The run's way to its rows. Writes are numbered: an older state of the run never overwrites a newer one."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._shown: dict[str, tuple[str, int, int]] = {}
        """Status, generation and attempt with which an open step was last written."""

    async def flush_if_due(self) -> None:
        """Write when a batch is full, or a wait has ended while the run waits for something else as well.

        Also what lets a long walk of pure steps breathe between activations.
        """
        journal = self._state.journal
        if journal.unwritten >= BATCH or (journal.has_closed_waits and self._state.waits and self._state.one_at_a_time):
            await self.flush()

    async def show_status(self) -> None:
        """Write when what the run does has changed: what people search by must not be days old."""
        if self._state.announce() or self._state.look != self._state.reported:
            await self.flush()

    async def flush(self) -> None:
        """Write finished steps and the run as it stands."""
        taken = self._state.journal.take_unwritten()
        await self._record(self._batch(self._update(), taken), taken)

    async def end(self, ending: RunResult, finished_at: str) -> None:
        """Write what is left and the run's final state, in one transaction; with the journal, if a redrive may come."""
        journal = self._state.journal
        update = RunUpdate(
            status=ending.status,
            steps_completed=journal.completed,
            output=ending.output,
            error=ending.error,
            variables=journal.variables,
            finished_at=finished_at,
            temporal_run_id=workflow.info().run_id,
        )
        taken = journal.take_unwritten()
        kept = None if ending.status == "completed" else journal.state()
        await self._record(self._batch(update, taken, kept), taken)

    async def open_wait(
        self, *, path: str, event: str, match: Json, context: JsonObject, since: str, until: str | None
    ) -> OpenedWait:
        """Register the wait and everything before it; answers with an event that is there already, if any."""
        began, taken = workflow.now(), self._state.journal.take_unwritten()
        batch = self._batch(self._update(), taken)

        def wait() -> OpenWait:
            age = (workflow.now() - began).total_seconds()
            return OpenWait(
                batch=batch, path=path, event=event, match=match, context=context, since=since, until=until, age=age
            )

        opened = await self._write(names.OPEN_WAIT_ACTIVITY, wait, taken, OpenedWait, f"wait for {event}")
        size = json_size(opened.found)
        self._state.history.local(size)
        await self._state.outbox.put(size)
        return opened

    async def open_approval(
        self, record: StepRecord, *, title: str, message: str, approvers: list[str], form: JsonObject | None
    ) -> OpenedApproval:
        """Register the approval and everything before it; answers with its id and links."""
        assert record.wait is not None, "it waits from now on"
        taken = self._state.journal.take_unwritten()
        asked = OpenApproval(
            batch=self._batch(self._update(), taken),
            path=record.path,
            generation=record.generation,
            attempt=record.attempt,
            title=title,
            message=message,
            approvers=approvers,
            form=form,
            until=record.wait["until"],
        )
        opened = await self._write(
            names.OPEN_APPROVAL_ACTIVITY, lambda: asked, taken, OpenedApproval, f"ask for {record.name}"
        )
        size = json_size(opened.links)
        self._state.history.local(size)
        await self._state.outbox.put(size)
        return opened

    async def keep_variables(self, path: str, values: JsonObject) -> None:
        """Keep variables for the workflow's later runs."""
        run = self._state.input
        kept = WorkflowVariables(
            workspace_id=run.workspace_id, workflow_id=run.workflow_id, run_id=run.run_id, path=path, values=values
        )
        self._state.history.local(0)
        await self._execute(names.SET_VARIABLES_ACTIVITY, lambda: kept, NoneType, "keep " + ", ".join(values))

    async def call(self, activity: str, arg: object, result: type[ResultT], summary: str) -> ResultT:
        """An activity of ours that writes something for a step; its answer is small."""
        self._state.history.local(0)
        return await self._execute(activity, lambda: arg, result, summary)

    async def lost_effects(self, after: int) -> list[LostEffect]:
        """Effects that began after the one with this number and are over, whether the walk knows of them or not."""
        run = self._state.input
        asked = LostEffects(workspace_id=run.workspace_id, run_id=run.run_id, after=after)
        self._state.history.local(0)
        activity, summary = names.LOST_EFFECTS_ACTIVITY, "look for effects of a lost task"
        return await self._execute(activity, lambda: asked, list[LostEffect], summary)

    def _update(self) -> RunUpdate:
        state = self._state
        state.reports, state.reported = state.reports + 1, state.look
        return RunUpdate(
            number=state.reports,
            status=state.status,
            steps_completed=state.journal.completed,
            current_step=state.current_step,
            waiting_for=state.waiting_for,
            error=state.held_error,
            temporal_run_id=workflow.info().run_id,
        )

    def _batch(self, update: RunUpdate, taken: Unwritten, journal: JournalState | None = None) -> RecordBatch:
        run = self._state.input
        waiting = [record for record in self._state.journal.records.values() if self._is_news(record)]
        return RecordBatch(
            workspace_id=run.workspace_id,
            run_id=run.run_id,
            steps=list(taken.rows.values()) + waiting,
            run=update,
            closed_waits=taken.closed_waits,
            attempts=taken.attempts,
            dropped=taken.dropped,
            journal=journal,
            is_child=run.parent_run_id is not None,
            has_children=update.finished_at is not None and self._state.may_have_children,
        )

    def _is_news(self, record: StepRecord) -> bool:
        """Whether an open step is other than it was last written; what was never open is not asked about."""
        now = (record.status, record.generation, record.attempt)
        if record.status not in ("waiting", "held") or self._shown.get(record.path) == now:
            return False
        self._shown[record.path] = now
        return True

    async def _record(self, batch: RecordBatch, taken: Unwritten) -> None:
        self._state.history.local(0)
        await self._write(names.RECORD_ACTIVITY, lambda: batch, taken, NoneType, f"record {batch.run.status}")

    async def _write(
        self, activity: str, arg: Callable[[], object], taken: Unwritten, result: type[ResultT], summary: str
    ) -> ResultT:
        try:
            return await self._execute(activity, arg, result, summary)
        except BaseException:
            # Only a cancellation gets here. What it interrupted must still be written before the run ends.
            self._state.journal.give_back(taken)
            self._shown.clear()
            raise

    async def _execute(self, activity: str, arg: Callable[[], object], result: type[ResultT], summary: str) -> ResultT:
        """`arg` is asked for when it is this activity's turn.

        A task may end with its local activity and the next one begin at once. What other walkers then do falls into
        that one, and into the one before in a replay: beside others, a record is a regular activity.
        """
        state = self._state
        if not state.records_apart:
            async with state.local_slot():
                return await _execute(activity, arg(), result, summary)
        given = arg()
        size = json_size(as_plain(given))
        if size > LARGEST_TASK:
            async with state.local_slot():
                return await _execute(activity, given, result, summary)
        mark = await state.outbox.put(size)
        try:
            with state.history.scheduled(size):
                return await _execute_apart(activity, given, result, summary)
        finally:
            state.outbox.sent(mark)


async def _execute_apart(activity: str, arg: object, result: type[ResultT], summary: str) -> ResultT:
    """As `_execute`, by a regular activity."""
    return await _ended(
        workflow.execute_activity(
            activity,
            arg,
            result_type=result,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_FOREVER,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )


async def _execute(activity: str, arg: object, result: type[ResultT], summary: str) -> ResultT:
    """By a local activity."""
    return await _ended(
        workflow.execute_local_activity(
            activity,
            arg,
            result_type=result,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_FOREVER,
            local_retry_threshold=_LOCAL_RETRIES,
            # What was cancelled may still write; nothing else must be written before it has ended.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )


async def _ended(activity: Awaitable[ResultT]) -> ResultT:
    """Its answer. Raises nothing but `CancelledError`: a cancelled one comes as its own error, or ends well."""
    try:
        answer = await activity
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        raise
    leave_if_cancelled()
    return answer
