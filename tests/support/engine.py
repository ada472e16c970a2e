"""Runs definitions end to end for tests: publish, start, send events, wait for the end, read the rows."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Run, Step, StepAttempt, Version, Wait, Workflow
from app.json import Json, JsonObject
from app.services import events, runs, workflows
from app.services.platform import Platform
from app.temporal import names
from app.temporal.messages import Decision, JournalState, SignalledEvent, StepRecord, Timeline
from tests.support.executions import Execution, chain
from tests.support.waiting import eventually

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Finished:
    """A run that ended: its row, its steps' rows by path, and how often an event of each type is in its history.

    `history` and `events` are those of its last Temporal execution, `executions` are all of them, first one first.
    """

    run: Run
    steps: dict[str, Step]
    history: Counter[str]
    events: int
    temporal_status: WorkflowExecutionStatus | None
    executions: list[Execution] = field(default_factory=list)

    @property
    def output(self) -> Json:
        """What the run answered; it must have completed."""
        assert self.run.status == "completed", (self.run.status, self.run.error)
        return self.run.output

    @property
    def error(self) -> JsonObject:
        """Why it did not complete; it must not have."""
        assert self.run.status != "completed", self.run.output
        assert self.run.error is not None
        return self.run.error

    def statuses(self) -> dict[str, str]:
        """Step path to status."""
        return {path: step.status for path, step in self.steps.items()}


@dataclass(frozen=True)
class Engine:
    """One workspace of a running installation."""

    platform: Platform
    workspace_id: UUID

    async def publish(self, definition: JsonObject, *, name: str = "Test") -> UUID:
        """An active workflow with this definition."""
        workflow = await workflows.create(self.platform, self.workspace_id, name=name, definition=definition)
        await workflows.publish(self.platform, self.workspace_id, workflow.id, comment=None, published_by="test")
        return workflow.id

    async def start(self, definition: JsonObject | UUID, *, input: Json = None, **options: Any) -> Run:
        """Start a run of a definition, or of a workflow that is published."""
        workflow_id = definition if isinstance(definition, UUID) else await self.publish(definition)
        input = {} if input is None else input
        started = await runs.start(self.platform, self.workspace_id, workflow_id, input=input, **options)
        return started.run

    async def run(
        self, definition: JsonObject | UUID, *, input: Json = None, within: float = 30.0, **options: Any
    ) -> Finished:
        """Start a run and wait for its end."""
        return await self.end(await self.start(definition, input=input, **options), within=within)

    async def steps(self, *steps: JsonObject, output: Json = None, input: Json = None, **head: Any) -> Finished:
        """Run a definition that is just these steps."""
        return await self.run({"steps": list(steps), "output": output, **head}, input=input)

    async def end(self, run: Run, *, within: float = 30.0) -> Finished:
        """The run once it ended in Temporal; its row must have been there before."""
        handle = await self.handle(run)
        try:
            await asyncio.wait_for(handle.result(), within)
        except WorkflowFailureError:
            pass
        except TimeoutError:
            raise AssertionError(f"not at its end: {(await self.timeline(run))}") from None
        executions = await self.executions(run)
        types = executions[-1].types
        return Finished(
            run=await self.row(run),
            steps=await self.step_rows(run),
            history=Counter(types),
            events=len(types),
            temporal_status=(await handle.describe()).status,
            executions=executions,
        )

    async def executions(self, run: Run) -> list[Execution]:
        """The run's Temporal executions so far, first one first."""
        return await chain(await self.platform.temporal.client(), names.workflow_id(str(run.id)))

    async def send(self, type: str, data: Json = None, *, id: str | None = None, source: str = "test") -> Any:
        """An event arrives, as through the API."""
        event = {"specversion": "1.0", "id": id or str(uuid4()), "source": source, "type": type, "data": data}
        [ingested] = await events.ingest(self.platform, self.workspace_id, [event])
        return ingested

    async def cancel(self, run: Run) -> Run:
        """Cancel as through the API."""
        return await runs.cancel(self.platform, self.workspace_id, run.id)

    async def pause(self, run: Run) -> None:
        """Nothing new begins from now on."""
        await self._update(run, names.PAUSE_UPDATE, "test")

    async def resume(self, run: Run) -> None:
        """The run goes on."""
        await self._update(run, names.RESUME_UPDATE, "test")

    async def decide(self, run: Run, path: str, decision: str, *, by: str | None = "test", **more: Any) -> None:
        """Say what becomes of a held step; `inputs` and `output` go with it."""
        told = Decision(path=path, decision=decision, by=by, **more)
        await self._update(run, names.DECIDE_UPDATE, told)

    async def signal(
        self, run: Run, type: str, data: Json = None, *, id: str | None = None, path: str | None = None
    ) -> list[str]:
        """An event for this run alone; answers the paths of the waits it woke."""
        event = {"specversion": "1.0", "id": id or str(uuid4()), "source": "test", "type": type, "data": data}
        told = SignalledEvent(event=event, path=path)
        woken: list[str] = await self._update(run, names.SIGNAL_EVENT_UPDATE, told)
        return woken

    async def _update(self, run: Run, name: str, argument: object) -> Any:
        """Temporal turns an update away that comes in the moment in which an execution ends; its sender asks again."""

        async def sent() -> tuple[Any]:
            try:
                return (await (await self.handle(run)).execute_update(name, argument),)
            except RPCError as error:
                if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
                    raise AssertionError(error.message) from error
                raise

        (answer,) = await eventually(sent, what=f"{name} is taken")
        return answer

    async def handle(self, run: Run) -> Handle:
        """The run's Temporal workflow."""
        client = await self.platform.temporal.client()
        return client.get_workflow_handle(names.workflow_id(str(run.id)))

    async def timeline(self, run: Run) -> Timeline:
        """The run as its query shows it."""
        handle = await self.handle(run)
        timeline: Timeline = await handle.query(names.TIMELINE_QUERY, result_type=Timeline)
        return timeline

    async def journal(self, run: Run) -> JournalState:
        """The run's journal as its query answers with it."""
        journal: JournalState = await (await self.handle(run)).query(names.JOURNAL_QUERY, result_type=JournalState)
        return journal

    async def record(self, run: Run, path: str) -> StepRecord:
        """The step as the timeline shows it; it must have begun."""
        return next(step for step in (await self.timeline(run)).steps if step.path == path)

    async def is_(self, run: Run, status: str) -> Run:
        """Wait until the run's row has this status; answers with the row."""

        async def there() -> Run | None:
            row = await self.row(run)
            return row if row.status == status else None

        found = await eventually(there, what=f"the run is {status}")
        assert found is not None
        return found

    async def at(self, run: Run, path: str, status: str = "waiting") -> None:
        """Wait until the step at this path has this status. A wait for an event waits once its row is there, and a run
        may have its row before Temporal has it."""

        async def there() -> bool:
            try:
                steps = {step.path: step for step in (await self.timeline(run)).steps}
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
            if path not in steps or steps[path].status != status:
                return False
            if status != "waiting" or steps[path].type != "wait_for_event":
                return True
            return path in [wait.path for wait in await self.waits(run) if wait.closed_at is None]

        await eventually(there, within=40.0, what=f"{path} is {status}")

    async def row(self, run: Run) -> Run:
        """The run's row as it is now."""
        async with self.platform.database.transaction(self.workspace_id) as session:
            return (await session.scalars(select(Run).where(Run.id == run.id))).one()

    async def step_rows(self, run: Run) -> dict[str, Step]:
        """The run's steps by path, in their order."""
        async with self.platform.database.transaction(self.workspace_id) as session:
            rows = await session.scalars(select(Step).where(Step.run_id == run.id).order_by(Step.sequence))
            return {row.path: row for row in rows}

    async def attempts(self, run: Run) -> list[StepAttempt]:
        """Failed attempts of the run's effects, in order."""
        async with self.platform.database.transaction(self.workspace_id) as session:
            query = select(StepAttempt).where(StepAttempt.run_id == run.id)
            rows = await session.scalars(query.order_by(StepAttempt.path, StepAttempt.generation, StepAttempt.attempt))
            return list(rows)

    async def waits(self, run: Run) -> list[Wait]:
        """The run's waits, closed ones included."""
        async with self.platform.database.transaction(self.workspace_id) as session:
            return list(await session.scalars(select(Wait).where(Wait.run_id == run.id).order_by(Wait.path)))

    async def version(self, workflow_id: UUID) -> tuple[Workflow, Version]:
        """The workflow and the version its runs take."""
        async with self.platform.database.transaction(self.workspace_id) as session:
            workflow = (await session.scalars(select(Workflow).where(Workflow.id == workflow_id))).one()
            query = select(Version).where(Version.workflow_id == workflow_id, Version.number == workflow.active_version)
            return workflow, (await session.scalars(query)).one()


@contextmanager
def refused(type: str, *, saying: str = "") -> Iterator[None]:
    """What is inside must be an update that the run refuses with this type, and with words for people."""
    with pytest.raises(WorkflowUpdateFailedError) as told:
        yield
    assert isinstance(told.value.cause, ApplicationError)
    assert (told.value.cause.type, told.value.cause.non_retryable) == (type, True)
    assert len(told.value.cause.message) > 10
    assert saying in told.value.cause.message


def http(id: str, url: str, **more: Any) -> JsonObject:
    """An `http.request` step that waits milliseconds between attempts. `inputs` go over the URL."""
    retry = {"max_attempts": 3, "initial_interval": "10ms", "jitter": 0}
    inputs = {"url": url, **more.pop("inputs", {})}
    return {"id": id, "type": "action", "action": "http.request", "inputs": inputs, "retry": retry, **more}
