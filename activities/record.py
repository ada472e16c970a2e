"""The local activities that keep a run's records. They only stand between Temporal and `services.records`."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from temporalio import activity

from app.observing import context
from app.services import children, records
from app.services.platform import Platform
from app.temporal import names
from app.temporal.record_messages import (
    LostEffect,
    LostEffects,
    OpenApproval,
    OpenedApproval,
    OpenedWait,
    OpenWait,
    RecordBatch,
    WorkflowVariables,
)


class RecordActivities:
    """Bound to the process's platform. All of them may run twice: the services make that harmless."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def activities(self) -> list[Callable[..., Any]]:
        """Everything here, for the worker."""
        return [self.record, self.open_wait, self.open_approval, self.set_workflow_variables, self.lost_effects]

    @activity.defn(name=names.RECORD_ACTIVITY)
    async def record(self, batch: RecordBatch) -> None:
        """Write finished steps and the run's state."""
        context.note(workspace_id=batch.workspace_id, run_id=batch.run_id)
        await records.record_batch(self._platform, batch)
        if batch.run.finished_at is not None and (batch.is_child or batch.has_children):
            await children.after_end(self._platform, UUID(batch.workspace_id), UUID(batch.run_id))

    @activity.defn(name=names.OPEN_WAIT_ACTIVITY)
    async def open_wait(self, wait: OpenWait) -> OpenedWait:
        """Register a wait, then look for an event that is there already."""
        context.note(workspace_id=wait.batch.workspace_id, run_id=wait.batch.run_id, step=wait.path)
        return await records.open_wait(self._platform, wait)

    @activity.defn(name=names.OPEN_APPROVAL_ACTIVITY)
    async def open_approval(self, asked: OpenApproval) -> OpenedApproval:
        """Register an approval, so that it can be answered."""
        context.note(workspace_id=asked.batch.workspace_id, run_id=asked.batch.run_id, step=asked.path)
        return await records.open_approval(self._platform, asked)

    @activity.defn(name=names.SET_VARIABLES_ACTIVITY)
    async def set_workflow_variables(self, values: WorkflowVariables) -> None:
        """Keep variables for later runs."""
        context.note(workspace_id=values.workspace_id, run_id=values.run_id, step=values.path)
        await records.set_workflow_variables(self._platform, values)

    @activity.defn(name=names.LOST_EFFECTS_ACTIVITY)
    async def lost_effects(self, asked: LostEffects) -> list[LostEffect]:
        """Effects that are over, in the order they began."""
        context.note(workspace_id=asked.workspace_id, run_id=asked.run_id)
        return await records.lost_effects(self._platform, asked)
