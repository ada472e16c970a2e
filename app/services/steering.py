"""Temporal's side of run control: whether it has a run under way, and updates of it, bounded in time.

An update is answered by the run itself, once a worker has its task in hand. What Temporal says when there is none, when
the run goes on in its next execution, or when it has ended meanwhile, becomes one of the services' own errors here.
"""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from uuid_utils.compat import uuid7

from app.services.errors import Conflict, Invalid, ServiceError, Unavailable
from app.services.launching import TEMPORAL_ERRORS, handle_of
from app.services.platform import Platform
from app.temporal import names

UPDATE_SECONDS = 12.0
"""While a local activity is under way its run hears of an update when Temporal renews the task: after ten at most."""
DESCRIBE_SECONDS = 3.0
PAUSE_SECONDS = 0.2

UNFINISHED = "AcceptedUpdateCompletedWorkflow"
"""Temporal's word for an update the run took on just before its execution ended, so that it never got an answer."""

_DONE_ALREADY = {
    names.PAUSE_UPDATE: names.ALREADY_PAUSED,
    names.RESUME_UPDATE: names.NOT_PAUSED,
    names.DECIDE_UPDATE: names.NOT_HELD,
    names.SIGNAL_EVENT_UPDATE: names.NOT_WAITING,
    names.APPROVE_UPDATE: names.APPROVAL_NOT_OPEN,
}
"""How a run refuses an update that it took on in its execution before."""

_REFUSALS: dict[str, type[ServiceError]] = {
    names.INVALID_DECISION: Invalid,
    **dict.fromkeys(names.OTHER_STATE, Conflict),
}

# The execution ended while the update was on its way, a task of it failed, or the run is very busy.
_AGAIN = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
)


class NotUnderWay(Exception):
    """Temporal has no such run, or it has ended there."""


async def update(
    platform: Platform, run_id: UUID, name: str, argument: object, *, result_type: type | None = None
) -> Any:
    """Send the run an update and wait for its answer, for twelve seconds at the most; None when the run ended with it.

    One that meets the end of an execution is sent again to the next. Raises `Conflict` or `Invalid` with the run's own
    words when it refuses, `Unavailable` (`temporal_unavailable`, `worker_unavailable`) when nobody answers, and
    `NotUnderWay`.
    """
    id = str(uuid7())
    clock = asyncio.get_running_loop()
    deadline = clock.time() + UPDATE_SECONDS
    taken_on = False
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                handle = await handle_of(platform, run_id)
                return await handle.execute_update(name, argument, id=id, result_type=result_type)
        except WorkflowUpdateFailedError as error:
            refused = error.cause.type if isinstance(error.cause, ApplicationError) else None
            if taken_on and refused == _DONE_ALREADY[name]:
                return None
            if refused != UNFINISHED:
                raise _refusal(run_id, error.cause) from error
            taken_on = True
        except (*TEMPORAL_ERRORS, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            if not isinstance(error, RPCError) or error.status not in _AGAIN:
                raise await _unanswered(platform, run_id) from error
        if not await is_under_way(platform, run_id):
            if taken_on:
                return None
            raise NotUnderWay
        if clock.time() + PAUSE_SECONDS >= deadline:
            raise await _unanswered(platform, run_id)
        await asyncio.sleep(PAUSE_SECONDS)


async def is_under_way(platform: Platform, run_id: UUID) -> bool:
    """Whether Temporal has the run under way, as far as it can be asked: True while it does not answer."""
    try:
        return await ask(platform, run_id)
    except TEMPORAL_ERRORS as error:
        return not is_unknown(error)


def is_unknown(error: BaseException) -> bool:
    """Whether Temporal answered that it has no such run under way."""
    return isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND


async def ask(platform: Platform, run_id: UUID) -> bool:
    """Whether Temporal says that the run is under way. Raises one of `TEMPORAL_ERRORS`, for an unknown run too."""
    async with asyncio.timeout(DESCRIBE_SECONDS):
        found = await (await handle_of(platform, run_id)).describe(rpc_timeout=timedelta(seconds=DESCRIBE_SECONDS))
    return found.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


def _refusal(run_id: UUID, cause: BaseException) -> ServiceError:
    if isinstance(cause, ApplicationError) and cause.type in _REFUSALS:
        return _REFUSALS[cause.type](cause.type, f"Run {run_id}: {cause.message}.")
    return Unavailable(
        "worker_unavailable",
        f"The worker that has run {run_id} cannot do this ({cause}): it is of another release than this server.",
    )


async def _unanswered(platform: Platform, run_id: UUID) -> Exception:
    """Nobody answered in time: is it Temporal that is away, or the workers?"""
    try:
        if not await ask(platform, run_id):
            return NotUnderWay()
    except TEMPORAL_ERRORS as error:
        return NotUnderWay() if is_unknown(error) else _unreachable(run_id)
    return Unavailable(
        "worker_unavailable",
        f"No worker answered for run {run_id} within {UPDATE_SECONDS:.0f} seconds. It may still take effect when one "
        "does, or not: look at the run before you send it again.",
    )


def _unreachable(run_id: UUID) -> Unavailable:
    return Unavailable(
        "temporal_unavailable",
        f"Temporal cannot be reached. If it had heard of this already, it may still take effect on run {run_id}, or "
        "not: look at the run before you send it again.",
    )
