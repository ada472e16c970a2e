"""Rows that do not know how their run ended: terminated or timed out from outside, or gone with Temporal's data.

Two ways lead to them. What closed lately is listed by Temporal's visibility, which is cheap and may lag; and the runs
longest unchecked are asked about one by one, a few at a time, which finds the rest. Either way it is the run's latest
execution that says what became of it, and a row that has ended is left alone.
"""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from app.catalog.errors import ErrorType
from app.json import Json, JsonObject
from app.services import children, queues
from app.services.platform import Platform
from app.store import children as children_store
from app.store import run_state
from app.store import upkeep as store
from app.temporal import names
from app.temporal.messages import RunResult
from app.temporal.upkeep import Closed, ClosedCursor

CHECK_AFTER = timedelta(minutes=15)
"""How long a run is taken to be under way without asking Temporal."""
CHECKS = 50
"""Most runs of a workspace that are asked about at once."""
CLOSED_PAGE = 200
CLOSED_PAGES = 5
"""Most pages of closed executions read at once."""
LAG = timedelta(minutes=1)
"""How late visibility may show an execution that closed; a later one is found by asking."""
FIRST_LOOK_BACK = timedelta(days=1)
AT_ONCE = 5
RPC_TIMEOUT = timedelta(seconds=5)

_OVER = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
_ENDED_SAID = ", ".join(f"'{status}'" for status in run_state.ENDED)
# A run that ended by itself wrote its row and then its status attribute, so that nearly all of what closed is not even
# listed.
_CLOSED_QUERY = (
    f"WorkflowType = '{names.AUTOMATION_WORKFLOW}' "
    "AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed', 'Canceled') "
    f"AND {names.STATUS.name} NOT IN ({_ENDED_SAID}) "
    "AND CloseTime BETWEEN '{since}' AND '{until}'"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended in Temporal, as its row should say it. `at` None: nobody knows when."""

    status: str
    error: JsonObject | None = None
    output: Json = None
    at: datetime | None = None


async def closed(platform: Platform, cursor: ClosedCursor | None, now: str) -> Closed:
    """Runs whose execution closed since the cursor while their row is open. Bounded: the answer says where to go on.

    `now` ends a window that begins here. Raises `RPCError`, INVALID_ARGUMENT among others for a page of a query that
    the server no longer knows.
    """
    if cursor is None:
        cursor = ClosedCursor(since=_text(datetime.fromisoformat(now) - FIRST_LOOK_BACK))
    until = cursor.until or now
    client = await platform.temporal.client()
    found = client.list_workflows(
        _CLOSED_QUERY.format(since=cursor.since, until=until),
        page_size=CLOSED_PAGE,
        next_page_token=base64.b64decode(cursor.page) if cursor.page else None,
        rpc_timeout=RPC_TIMEOUT,
    )
    executions: list[WorkflowExecution] = []
    for _ in range(CLOSED_PAGES):
        await found.fetch_next_page()
        executions += found.current_page or []
        if not found.next_page_token:
            behind = ClosedCursor(since=_text(datetime.fromisoformat(until) - LAG))
            return Closed(cursor=behind, runs=await _still_open(platform, executions))
    page = base64.b64encode(found.next_page_token or b"").decode()
    left = ClosedCursor(since=cursor.since, until=until, page=page)
    return Closed(cursor=left, runs=await _still_open(platform, executions), more=True)


async def reconcile(platform: Platform, workspace_id: UUID, run_ids: Sequence[UUID]) -> int:
    """Bring the rows of those of these runs that are over in Temporal to how they ended; answers how many were."""
    client = await platform.temporal.client()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(run_id: UUID) -> bool:
        async with gate:
            ending = await _ending(client, run_id)
            return ending is not None and await _end(platform, workspace_id, run_id, ending)

    results = await asyncio.gather(*(one(run_id) for run_id in run_ids), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(map(bool, results))


async def check(platform: Platform, workspace_id: UUID) -> tuple[int, int]:
    """Ask Temporal about the runs longest unchecked: how many that were, and how many of them had ended."""
    taken = store.take_unchecked(workspace_id, check_after=CHECK_AFTER, limit=CHECKS)
    (rows,) = await platform.database.run(workspace_id, taken)
    return len(rows), await reconcile(platform, workspace_id, [id_ for (id_,) in rows])


async def fail(platform: Platform, workspace_id: UUID, run_id: UUID, type: ErrorType, message: str) -> None:
    """The run is over in Temporal, and its row says that it failed so; one that has ended stays as it is."""
    await _end(platform, workspace_id, run_id, Ending("failed", _error(type, message)))


async def _still_open(platform: Platform, executions: Sequence[WorkflowExecution]) -> dict[str, list[str]]:
    """The runs of these executions, by workspace, whose rows are open. Other installations' are nobody's here."""
    by_workspace: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for execution in executions:
        run_id, workspace = names.run_of(execution.id), execution.typed_search_attributes.get(names.WORKSPACE)
        if run_id is not None and workspace is not None:
            by_workspace[UUID(workspace)].add(run_id)
    found: dict[str, list[str]] = {}
    for workspace_id, run_ids in by_workspace.items():
        (rows,) = await platform.database.run(workspace_id, store.open_among(workspace_id, sorted(run_ids)))
        if rows:
            found[str(workspace_id)] = [str(id_) for (id_,) in rows]
    return found


async def _end(platform: Platform, workspace_id: UUID, run_id: UUID, ending: Ending) -> bool:
    statement = store.end(
        workspace_id, run_id, status=ending.status, error=ending.error, output=ending.output, at=ending.at
    )
    rows, _ = await platform.database.run(workspace_id, statement, children_store.orphan(workspace_id, run_id))
    for workflow_id, key, seconds in rows:
        platform.observing.metrics.run_ended(ending.status, seconds)
        await queues.release(platform, workspace_id, workflow_id, key)
        await children.after_end(platform, workspace_id, run_id)
    return bool(rows)


async def _ending(client: Client, run_id: UUID) -> Ending | None:
    """How the run's latest execution ended; None while it is under way."""
    handle = client.get_workflow_handle(names.workflow_id(str(run_id)))
    try:
        latest = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        if latest.status not in _OVER:
            return None
        handle = client.get_workflow_handle(latest.id, run_id=latest.run_id, result_type=RunResult)
        return await _as_closed(handle, latest.close_time)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        message = "Temporal no longer has the run, and nothing says how it ended"
        return Ending("failed", _error(ErrorType.RUN_LOST, message))


async def _as_closed(handle: WorkflowHandle[Json, RunResult], at: datetime | None) -> Ending:
    """What the last event of a closed execution says."""
    last = await _close_event(handle)
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        told = last.workflow_execution_terminated_event_attributes
        return Ending("cancelled", _error(ErrorType.TERMINATED, _terminated(told.reason, told.identity)), at=at)
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
        message = "the run's Temporal workflow took longer than Temporal was told to allow it"
        return Ending("timed_out", _error(ErrorType.RUN_TIMED_OUT, message), at=at)
    try:
        result = await handle.result(follow_runs=False, rpc_timeout=RPC_TIMEOUT)
    except WorkflowFailureError as failure:
        return _as_failed(failure.cause, at)
    return Ending(result.status, result.error, result.output, at)


async def _close_event(handle: WorkflowHandle[Json, RunResult]) -> HistoryEvent:
    events = handle.fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT, rpc_timeout=RPC_TIMEOUT
    )
    return [event async for event in events][-1]


def _as_failed(cause: BaseException, at: datetime | None) -> Ending:
    if not isinstance(cause, ApplicationError):
        return Ending("cancelled", _error(ErrorType.CANCELLED, "the run was cancelled"), at=at)
    # The walk's own failure brings the run's error along.
    error = cause.details[0] if cause.details else None
    if not isinstance(error, dict) or "type" not in error:
        error = _error(ErrorType.INTERNAL, cause.message)
    return Ending("timed_out" if error["type"] == ErrorType.RUN_TIMED_OUT else "failed", error, at=at)


def _terminated(reason: str, identity: str) -> str:
    by = f" by {identity}" if identity else ""
    return f"the run was terminated in Temporal{by}: {reason or 'no reason was given'}"


def _error(type: ErrorType, message: str) -> JsonObject:
    return {"type": type.value, "message": message, "step_id": None, "path": None}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
