"""Rows and messages for the tests of the services, with what a test does not care about filled in."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db.models import Event, Run
from app.json import Json, JsonObject
from app.services.platform import Platform
from app.temporal.messages import ActionCall, ActionOutcome, RetryPlan, StepRecord
from app.temporal.record_messages import RecordBatch, RunUpdate


async def a_run(platform: Platform, workspace_id: UUID, **columns: Any) -> UUID:
    """A run's row, running unless said otherwise, and as it was made."""
    if "created_at" in columns:
        columns = {"updated_at": columns["created_at"], **columns}
    run = Run(
        **{
            "workspace_id": workspace_id,
            "id": uuid7(),
            "workflow_id": uuid7(),
            "workflow_name": "Test",
            "version": 1,
            "status": "running",
            "trigger_type": "manual",
            **columns,
        }
    )
    async with platform.database.transaction(workspace_id) as session:
        session.add(run)
    return run.id


async def an_event(platform: Platform, workspace_id: UUID, type: str, data: Json = None, **columns: Any) -> Event:
    """A committed event, received now unless said otherwise."""
    event = Event(
        **{"workspace_id": workspace_id, "source": "/test", "id": str(uuid7()), "type": type, "data": data, **columns}
    )
    async with platform.database.transaction(workspace_id) as session:
        session.add(event)
    return event


def a_call(workspace_id: UUID, run_id: UUID, **changes: Any) -> ActionCall:
    """One attempt of `http.request` at the path `fetch`."""
    return ActionCall(
        **{
            "workspace_id": str(workspace_id),
            "run_id": str(run_id),
            "workflow_id": str(uuid7()),
            "path": "fetch",
            "step_id": "fetch",
            "name": "Fetch",
            "action": "http.request",
            "key": f"{run_id}/fetch",
            "inputs": {"url": "https://example.com"},
            "connection": None,
            "timeout": 30.0,
            "retry": RetryPlan(max_attempts=3, initial_interval=1, backoff=2, max_interval=60, jitter=0.2),
            "order": 1,
            **changes,
        }
    )


def an_outcome(output: Json, **changes: Any) -> ActionOutcome:
    """What an action gave, begun and ended at fixed times."""
    return ActionOutcome(
        **{
            "output": output,
            "inputs": {"url": "https://example.com"},
            "attempt": 1,
            "started_at": "2030-01-01T10:00:00.250000Z",
            "finished_at": "2030-01-01T10:00:01Z",
            **changes,
        }
    )


def a_record(path: str, status: str = "completed", **changes: Any) -> StepRecord:
    """The record of a transform."""
    return StepRecord(
        **{
            "path": path,
            "step_id": path.rpartition(".")[2],
            "name": path,
            "type": "transform",
            "status": status,
            "order": 1,
            **changes,
        }
    )


def a_batch(
    workspace_id: UUID, run_id: UUID, *steps: StepRecord, status: str = "running", **update: Any
) -> RecordBatch:
    """Records of a run that is in this state."""
    closed = update.pop("closed_waits", [])
    return RecordBatch(
        workspace_id=str(workspace_id),
        run_id=str(run_id),
        steps=list(steps),
        run=RunUpdate(status=status, **update),
        closed_waits=closed,
    )


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def a_definition(**changes: Any) -> JsonObject:
    """A definition in canonical form that can be published: listens to one event, sets one value."""
    return {
        "trigger": {"type": "event", "event": "crm.contact.created"},
        "steps": [{"id": "greet", "type": "transform", "mapping": {"text": "Hello"}}],
        **changes,
    }
