"""Statements on a run's way into Temporal, in plain SQL: they are sent for every run there is.

A run whose workflow has limits is inserted by `runs` and `limits`, under the workflow's lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.engine import Statement
from app.db.models import Run
from app.db.values import clean_text

# The run is inserted only while what its caller remembers of the workflow is still so. Variables that are kept for the
# workflow are merged where there is a transaction to read them in, and a plan's limit is held where there is a lock.
_ADD = """
    INSERT INTO runs (
        workspace_id, id, workflow_id, workflow_name, version, trigger_type, trigger_event_id, trigger_event,
        input, variables, steps_total, idempotency_key, request_digest, cause_depth, schedule_id, told_workflow)
    SELECT %(workspace_id)s, %(id)s, workflows.id, workflows.name, workflows.active_version, %(trigger_type)s,
           %(trigger_event_id)s, %(trigger_event)s, %(input)s, %(variables)s, %(steps_total)s, %(idempotency_key)s,
           %(request_digest)s, %(cause_depth)s, %(schedule_id)s, %(told_workflow)s
    FROM workflows JOIN workspaces USING (workspace_id)
    WHERE workspace_id = %(workspace_id)s AND workflows.id = %(workflow_id)s AND workflows.status = 'active'
      AND workflows.active_version = %(version)s AND workflows.name = %(workflow_name)s
      AND workspaces.name = %(workspace_name)s
      AND workspaces.plan = 'own' AND workspaces.plan_overrides = '{}'
      AND NOT EXISTS (
          SELECT FROM workflow_variables AS kept
          WHERE kept.workspace_id = %(workspace_id)s AND kept.workflow_id = %(workflow_id)s)
    ON CONFLICT DO NOTHING
    RETURNING created_at, updated_at
"""

_LAUNCHED = """
    UPDATE runs SET
        status = CASE WHEN status = 'pending' THEN 'running' ELSE status END,
        temporal_run_id = COALESCE(runs.temporal_run_id, fresh.temporal_run_id),
        started_at = COALESCE(started_at, now()), updated_at = now()
    FROM unnest(%(ids)s::uuid[], %(temporal_run_ids)s::text[]) AS fresh (id, temporal_run_id)
    WHERE workspace_id = %(workspace_id)s AND runs.id = fresh.id
    RETURNING runs.id, status, runs.temporal_run_id, started_at, updated_at, cancel_due
"""


@dataclass(frozen=True, slots=True)
class Launched:
    """What the row of a run says once Temporal has it."""

    status: str
    temporal_run_id: str | None
    started_at: datetime
    updated_at: datetime
    cancel_due: bool


def add(run: Run, *, workspace_name: str) -> Statement:
    """Insert a run of its workflow's active version if the workflow is still as the run says, else nothing.

    Gives `(created_at, updated_at)`; no row too when the idempotency key is in use.
    """
    return Statement(
        _ADD,
        {
            "workspace_id": run.workspace_id,
            "id": run.id,
            "workflow_id": run.workflow_id,
            "workflow_name": run.workflow_name,
            "workspace_name": workspace_name,
            "version": run.version,
            "trigger_type": run.trigger_type,
            "trigger_event_id": _text(run.trigger_event_id),
            "trigger_event": _json(run.trigger_event),
            "input": _json(run.input),
            "variables": Jsonb(run.variables),
            "steps_total": run.steps_total,
            "idempotency_key": _text(run.idempotency_key),
            "request_digest": run.request_digest,
            "cause_depth": run.cause_depth,
            "schedule_id": run.schedule_id,
            "told_workflow": run.told_workflow,
        },
    )


def launched(workspace_id: UUID, temporal_run_ids: Mapping[UUID, str | None]) -> Statement:
    """Temporal has these runs: from pending to running, unless they have reported more already."""
    ids, temporal = list(temporal_run_ids), list(temporal_run_ids.values())
    return Statement(_LAUNCHED, {"workspace_id": workspace_id, "ids": ids, "temporal_run_ids": temporal})


def read_launched(rows: Iterable[Sequence[Any]]) -> dict[UUID, Launched]:
    """What `launched` gave, by the runs' ids."""
    return {row[0]: Launched(*row[1:]) for row in rows}


def _text(value: str | None) -> str | None:
    return None if value is None else clean_text(value)


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
