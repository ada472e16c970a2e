"""One moment of a schedule: starts the run of it, and lives as long as that run, so that Temporal's overlap means runs.

Deterministic code only. Whoever records the run's end tells this workflow by a signal; should that get lost, upkeep
repeats it, and this looks by itself now and then. What a run's end means for its schedule is an activity's business.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from app.temporal import names
    from app.temporal.scheduled_messages import (
        BEGIN_ACTIVITY,
        SETTLE_ACTIVITY,
        BeginScheduled,
        BegunScheduled,
        ScheduledInput,
        ScheduledResult,
        SettledScheduled,
        SettleScheduled,
    )

FIRST_LOOK = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
"""Between two looks at a run nobody told the end of; each pause is twice the one before."""
LOOKS = 500
"""Looks of one execution: the next one goes on, with a short history."""

_ATTEMPT = timedelta(seconds=30)
_FOREVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
_SCHEDULED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name=names.SCHEDULED_WORKFLOW)
class Scheduled:
    """One moment of one schedule. Answers with the run it came to."""

    def __init__(self) -> None:
        self._told = False

    @workflow.signal(name=names.RUN_ENDED_SIGNAL)
    def run_ended(self) -> None:
        """The run has ended, and its row says so."""
        self._told = True

    @workflow.run
    async def run(self, given: ScheduledInput) -> ScheduledResult:
        """Ends when the run has. Fails only when it is cancelled or terminated; the run goes on then."""
        moment = given.scheduled_for or _moment()
        run_id, ended = given.run_id, False
        if run_id is None:
            begun = await self._begin(given, moment)
            if begun.run_id is None:
                workflow.set_current_details(f"No run for {moment}: {begun.skipped}")
                return ScheduledResult(scheduled_for=moment, skipped=begun.skipped)
            run_id, ended = begun.run_id, begun.ended
        workflow.set_current_details(f"Run `{run_id}` for {moment}")
        looks, rounds = given.looks, 0
        while True:
            if not ended and not await self._heard(looks):
                looks += 1
            # Before it is looked: what is told from now on counts for the next time.
            ended = self._told = False
            if (status := await self._settled(given, run_id)) is not None:
                return ScheduledResult(scheduled_for=moment, run_id=run_id, status=status)
            rounds += 1
            if rounds >= LOOKS and not self._told:
                workflow.continue_as_new(
                    replace(given, scheduled_for=moment, run_id=run_id, looks=looks),
                    # The moment at which one that is pinned to a version of the workers moves to the current one.
                    initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
                )

    async def _begin(self, given: ScheduledInput, moment: str) -> BegunScheduled:
        begun: BegunScheduled = await workflow.execute_activity(
            BEGIN_ACTIVITY,
            BeginScheduled(
                workspace_id=given.workspace_id,
                schedule_id=given.schedule_id,
                scheduled_for=moment,
                waiting=workflow.info().workflow_id,
            ),
            result_type=BegunScheduled,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_FOREVER,
            summary="start the run",
        )
        return begun

    async def _heard(self, looks: int) -> bool:
        """Whether it was told of the end before the next look is due."""
        pause = min(FIRST_LOOK * 2 ** min(looks, 10), LONGEST_PAUSE)
        try:
            await workflow.wait_condition(lambda: self._told, timeout=pause, timeout_summary="look at the run")
        except TimeoutError:
            return False
        return True

    async def _settled(self, given: ScheduledInput, run_id: str) -> str | None:
        settled: SettledScheduled = await workflow.execute_activity(
            SETTLE_ACTIVITY,
            SettleScheduled(workspace_id=given.workspace_id, schedule_id=given.schedule_id, run_id=run_id),
            result_type=SettledScheduled,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_FOREVER,
            summary="note how it ended",
        )
        return settled.status


def _moment() -> str:
    """What Temporal was to start this for: not when it did, which a jitter and a catch-up make later."""
    moment: datetime = workflow.info().typed_search_attributes.get(_SCHEDULED_FOR) or workflow.info().start_time
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
