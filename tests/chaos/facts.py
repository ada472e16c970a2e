"""What is there after the chaos: rows, Temporal's executions and the ledger, read once and judged elsewhere."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Event, Run, Step, Wait
from app.json import Json, JsonObject
from app.services.platform import Platform
from app.services.workspaces import authenticate
from app.store.run_state import ENDED
from app.temporal import names
from tests.chaos.agent import Struck
from tests.chaos.ledger import Arrival
from tests.chaos.orders import Sent
from tests.chaos.plan import Order

OPEN = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


@dataclass(frozen=True, kw_only=True)
class RunFact:
    """A run's row, and its Temporal workflow's latest execution: None where Temporal has none."""

    id: str
    order: str
    status: str
    payments: Mapping[str, str]
    """Ids of the events that its waits took, by path."""
    error: JsonObject | None
    current_step: str | None
    execution: WorkflowExecutionStatus | None
    history_events: int = 0
    pending: Sequence[str] = ()
    """Activities that Temporal still has to have done, with the attempt they are at."""

    @property
    def over(self) -> bool:
        """Whether row and execution both say that it has ended."""
        return self.status in ENDED and self.execution is not None and self.execution not in OPEN


@dataclass(frozen=True, kw_only=True)
class EventFact:
    """An event's row."""

    id: str
    dispatched: bool
    started: list[str]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What database and Temporal hold of one workspace."""

    runs: Sequence[RunFact]
    events: Sequence[EventFact]
    outcomes: Sequence[str]
    """Keys of effects whose outcome is kept."""
    open_waits: Sequence[str]
    """Ids of runs that still wait."""
    executions: Mapping[str, int]
    """Temporal workflow ids of runs, with the executions each has had."""

    @property
    def settled(self) -> bool:
        """Whether nothing is under way any more."""
        dispatched = all(event.dispatched for event in self.events)
        return dispatched and not self.open_waits and all(run.over for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Facts(Rows):
    """All of it: what was asked for, what was done, what was struck, and what is there."""

    orders: Sequence[Order]
    answered: Mapping[str, set[str]]
    """Ids of runs the API named, by order."""
    sent: Sequence[Sent]
    arrivals: Sequence[Arrival]
    struck: Sequence[Struck]
    strikes_planned: int


async def read(platform: Platform, key: str) -> Rows:
    """Rows and executions of the workspace the key belongs to."""
    workspace_id = (await authenticate(platform, key)).workspace_id
    async with platform.database.transaction(workspace_id) as session:
        runs = (await session.scalars(select(Run).order_by(Run.id))).all()
        events = (await session.scalars(select(Event))).all()
        outcomes = (await session.scalars(select(Step.effect_key).where(Step.effect_key.is_not(None)))).all()
        waited = (await session.scalars(select(Step).where(Step.type == "wait_for_event"))).all()
        open_waits = (await session.scalars(select(Wait.run_id).where(Wait.closed_at.is_(None)))).all()
    payments: dict[UUID, dict[str, str]] = defaultdict(dict)
    for step in waited:
        if step.wait and "received" in step.wait:
            payments[step.run_id][step.path] = step.wait["received"]["id"]
    client = await platform.temporal.client()
    return Rows(
        runs=[await _run(client, run, payments[run.id]) for run in runs],
        events=[
            EventFact(id=event.id, dispatched=event.dispatched_at is not None, started=event.started)
            for event in events
        ],
        outcomes=[key for key in outcomes if key is not None],
        open_waits=[str(run_id) for run_id in open_waits],
        executions=await _executions(client),
    )


async def _run(client: Client, run: Run, payments: Mapping[str, str]) -> RunFact:
    """The row beside what Temporal says of the latest execution in its chain."""
    execution, events, pending = None, 0, []
    try:
        found = await client.get_workflow_handle(names.workflow_id(str(run.id))).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    else:
        execution, events = found.status, found.history_length
        pending = [
            f"{each.activity_type.name} attempt {each.attempt}" for each in found.raw_description.pending_activities
        ]
    return RunFact(
        id=str(run.id),
        order=_order(run.input),
        status=run.status,
        payments=payments,
        error=run.error,
        current_step=run.current_step,
        execution=execution,
        history_events=events,
        pending=pending,
    )


async def _executions(client: Client) -> dict[str, int]:
    found: dict[str, int] = {}
    async for execution in client.list_workflows(f'WorkflowType="{names.AUTOMATION_WORKFLOW}"'):
        found[execution.id] = found.get(execution.id, 0) + 1
    return found


def _order(input: Json) -> str:
    return str(input["order"])
