"""What an attempt at an action is counted as, and the ids by which its log lines and its span are found. What it does,
and what becomes of it, is decided in `runner`.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from temporalio.exceptions import ApplicationError

from app.catalog.errors import ErrorType
from app.observing.metrics import Metrics
from app.temporal import names
from app.temporal.messages import ActionCall

_BROKEN = (ErrorType.INTERNAL.value, names.NOT_TRIED)


@dataclass
class Attempted:
    """What is known of an attempt that ended well."""

    repeated: bool = False


def facts_of(call: ActionCall, attempt: int) -> dict[str, str | int]:
    """The ids of an attempt, the `attempt`th of its Temporal activity."""
    return {
        "workspace_id": call.workspace_id,
        "workflow": call.workflow_id,
        "run_id": call.run_id,
        "step": call.path,
        "action": call.action,
        "attempt": call.previous_attempts + attempt,
    }


@contextmanager
def counted(metrics: Metrics, call: ActionCall, attempt: int) -> Iterator[Attempted]:
    """Count what comes of the block. An attempt that its worker or its run gave up is none."""
    started, number = time.perf_counter(), call.previous_attempts + attempt
    attempted = Attempted()
    try:
        yield attempted
    except asyncio.CancelledError:
        raise
    except Exception as error:
        metrics.attempted(call.action, _failed(error), number, time.perf_counter() - started)
        raise
    outcome = "repeated" if attempted.repeated else "completed"
    metrics.attempted(call.action, outcome, number, time.perf_counter() - started)


def _failed(error: Exception) -> str:
    if not isinstance(error, ApplicationError) or error.type in _BROKEN:
        return "broken"
    told = error.details[0] if error.details else {}
    return "retrying" if told.get("retry_delay") is not None else "failed"
