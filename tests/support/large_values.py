"""A Temporal workflow that hands a large value around in each way a run does. Only what the tests of them need."""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from app.json import JsonObject
from app.temporal import names
from app.temporal.messages import Carry, JournalState, RunInput, StepRecord
from app.temporal.plain import CarriedInput, as_plain, read_carry
from app.temporal.record_messages import RecordBatch, RunUpdate


@workflow.defn(name="LargeValues")
class LargeValues:
    """Is `variables.executions` executions, each with the journal it was given; the last waits if `variables.stays`."""

    def __init__(self) -> None:
        self._journal = JournalState()
        self._ends = False

    @workflow.run
    async def run(self, run: RunInput) -> JsonObject:
        """Answers with what the journal holds that it ends with: all that the first execution began with."""
        assert run.carry is not None
        carried = read_carry(run.carry)
        self._journal = carried.journal
        await workflow.execute_local_activity(
            names.RECORD_ACTIVITY,
            self._batch(run),
            start_to_close_timeout=timedelta(seconds=30),
            result_type=type(None),
        )
        if carried.executions < run.variables["executions"]:
            carry = as_plain(Carry(journal=self._journal, executions=carried.executions + 1))
            workflow.continue_as_new(CarriedInput(as_plain(replace(run, carry=None)), carry=carry))
        await workflow.wait_condition(lambda: self._ends or not run.variables["stays"])
        return {"executions": carried.executions, "journal": [record.output for record in self._journal.records]}

    @workflow.signal
    def end(self) -> None:
        """Nothing more is asked."""
        self._ends = True

    @workflow.query(name=names.JOURNAL_QUERY)
    def journal(self) -> JournalState:
        """All of it."""
        return self._journal

    def _batch(self, run: RunInput) -> RecordBatch:
        everything = StepRecord(
            path="all",
            step_id="all",
            name="All",
            type="transform",
            status="completed",
            output=[record.output for record in self._journal.records],
        )
        update = RunUpdate(status="running")
        return RecordBatch(workspace_id=run.workspace_id, run_id=run.run_id, steps=[everything], run=update)
