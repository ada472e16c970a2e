"""Starts a run with another run's journal, as a redrive does, without the service that decides what goes along."""

from dataclasses import replace
from uuid import uuid4

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from app.db.models import Run
from app.temporal import names
from app.temporal.messages import Carry, JournalState, RunInput
from tests.support.engine import Engine


async def seeded(engine: Engine, original: Run, journal: JournalState) -> Run:
    """A new run of the same definition and input that begins with `journal`."""
    first = (await engine.executions(original))[0].history.events[0].workflow_execution_started_event_attributes
    client = await engine.platform.temporal.client()
    [input] = await client.data_converter.decode(list(first.input.payloads), [RunInput])
    row = _copy(await engine.row(original))
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        session.add(row)
        await session.flush()
    await client.start_workflow(
        names.AUTOMATION_WORKFLOW,
        replace(input, run_id=str(row.id), carry=Carry(journal=journal)),
        id=names.workflow_id(str(row.id)),
        task_queue=names.TASK_QUEUE,
        search_attributes=TypedSearchAttributes([SearchAttributePair(names.STATUS, "running")]),
    )
    return await engine.row(row)


def _copy(original: Run) -> Run:
    taken = (
        "workspace_id", "workflow_id", "workflow_name", "version", "trigger_type", "input", "variables", "steps_total",
    )  # fmt: skip
    fields = {name: getattr(original, name) for name in taken}
    return Run(id=uuid4(), status="pending", retry_of=original.id, attempt=original.attempt + 1, **fields)
