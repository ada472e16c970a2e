"""Upkeep: one pass over all workspaces, run by a Temporal Schedule. Decides what comes when; the work is activities.

Deterministic code only. An idle pass is one workflow task: what only looks is a local activity, and a regular activity
is scheduled where there is something to do, for many workspaces at once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from app.temporal import names
    from app.temporal.upkeep import (
        CLOSED_ACTIVITY,
        LOOK_ACTIVITY,
        RECONCILE,
        RECONCILE_ACTIVITY,
        Closed,
        ClosedCursor,
        Duty,
        Found,
        Look,
        Trouble,
        UpkeepReport,
    )

WORKSPACES = 200
"""Workspaces looked at, and tended, together."""
PAGES = 50
"""Most such pages in one round: the next pass begins where this one stopped."""
ROUNDS = 5
"""Times a pass goes round again at once because a bound left something over."""

_LOOK_TIMEOUT = timedelta(seconds=30)
_LOOK_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3)
_DUTY_TIMEOUT = timedelta(minutes=3)
_DUTY_RETRY = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=3)
_HEARTBEAT_TIMEOUT = timedelta(seconds=20)


@workflow.defn(name=names.UPKEEP_WORKFLOW)
class Upkeep:
    """One pass. Answers with what it did; the next pass goes on from that."""

    def __init__(self) -> None:
        self._report = UpkeepReport()

    @workflow.run
    async def run(self) -> UpkeepReport:
        """Fails only when it could not even look; what fails in one workspace, or of one duty, is in the report."""
        report = self._report
        if last := workflow.get_last_completion_result(UpkeepReport):
            report.closed, report.next_workspace = last.closed, last.next_workspace
        for _ in range(ROUNDS):
            report.left_over, report.workspaces = [], 0
            await self._reconcile()
            await self._tend_all()
            if not report.left_over:
                break
        workflow.set_current_details(_details(report))
        return report

    async def _reconcile(self) -> None:
        """What closed in Temporal since the last pass."""
        report, before = self._report, self._report.closed
        try:
            closed: Closed = await workflow.execute_local_activity(
                CLOSED_ACTIVITY,
                args=[before, workflow.now().isoformat()],
                result_type=Closed,
                start_to_close_timeout=_LOOK_TIMEOUT,
                retry_policy=_LOOK_RETRY,
                summary="what closed in Temporal",
            )
        except FailureError as error:
            self._failed(RECONCILE, error)
            # A page that the server no longer knows would fail for ever: the window is read from its beginning.
            report.closed = before and ClosedCursor(since=before.since)
            return
        report.closed = closed.cursor
        if closed.more:
            report.left_over.append(RECONCILE)
        if closed.runs:
            await self._do(RECONCILE, RECONCILE_ACTIVITY, closed.runs)

    async def _tend_all(self) -> None:
        report = self._report
        for _ in range(PAGES):
            found: Found = await workflow.execute_local_activity(
                LOOK_ACTIVITY,
                Look(after=report.next_workspace, limit=WORKSPACES),
                result_type=Found,
                start_to_close_timeout=_LOOK_TIMEOUT,
                retry_policy=_LOOK_RETRY,
                summary="who needs what",
            )
            report.workspaces += found.workspaces
            for duty in Duty:
                if workspace_ids := found.work.get(duty.value):
                    await self._do(duty.value, duty.activity, workspace_ids)
            report.next_workspace = found.last
            if found.last is None:
                return
        report.left_over.append("workspaces")

    async def _do(self, duty: str, activity: str, what: Sequence[str] | Mapping[str, Any]) -> None:
        try:
            part = await workflow.execute_activity(
                activity,
                what,
                result_type=UpkeepReport,
                start_to_close_timeout=_DUTY_TIMEOUT,
                heartbeat_timeout=_HEARTBEAT_TIMEOUT,
                retry_policy=_DUTY_RETRY,
                summary=f"{duty} of {len(what)} workspaces",
            )
        except FailureError as error:
            self._failed(duty, error)
        else:
            self._report.add(part)

    def _failed(self, duty: str, error: FailureError) -> None:
        if is_cancelled_exception(error):
            raise error
        self._report.note(Trouble(duty=duty, what=str(error.cause or error)))


def _details(report: UpkeepReport) -> str:
    lines = [f"{report.summary() or 'nothing to do'} ({report.workspaces} workspaces)"]
    lines += [f"- {each.duty} of {each.workspace_id or 'all workspaces'}: {each.what}" for each in report.trouble]
    return "\n".join(lines)
