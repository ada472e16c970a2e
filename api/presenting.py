"""From rows to answers, the one place that knows both. Nothing is decided here; only a workflow's runs are counted."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.headers import set_etag
from api.schemas.base import milliseconds
from api.schemas.connections import ConnectionAnswer, CredentialsAnswer
from api.schemas.events import CausedByAnswer, EventAnswer, LoggedEventAnswer, TouchedRunAnswer
from api.schemas.runs import (
    AttemptAnswer,
    DecisionAnswer,
    ResponseAnswer,
    RunAnswer,
    RunErrorAnswer,
    StepErrorAnswer,
    StepRecordAnswer,
    TemporalAnswer,
    TriggerAnswer,
    WaitAnswer,
)
from api.schemas.workflows import ProblemAnswer, ReadAsAnswer, WorkflowAnswer, WorkflowStatsAnswer
from app.db.models import Connection, Event, Run, Step, StepAttempt, Workflow
from app.definition import dialects
from app.json import Json, JsonObject
from app.services import workflows
from app.services.event_log import Logged, Seen
from app.services.platform import Platform
from app.settings import Settings
from app.temporal import names


async def workflow_answer(
    platform: Platform, workflow: Workflow, response: Response, *, definition: Json = None
) -> WorkflowAnswer:
    """The workflow, with its revision as `ETag`; and how the definition was read that was sent for it."""
    set_etag(response, workflow.revision)
    answer = (await workflow_answers(platform, workflow.workspace_id, [workflow]))[0]
    return answer.model_copy(update={"read_as": read_as(dialects.read(definition))})


def read_as(reading: dialects.Reading | None) -> ReadAsAnswer | None:
    """How something in another dialect was read; None for the language itself."""
    if reading is None:
        return None
    remarks = [ProblemAnswer.model_validate(remark) for remark in reading.remarks]
    return ReadAsAnswer(dialect=reading.dialect, remarks=remarks)


async def workflow_answers(platform: Platform, workspace_id: UUID, rows: Sequence[Workflow]) -> list[WorkflowAnswer]:
    """Workflows with how their runs went."""
    stats = await workflows.stats(platform, workspace_id, [row.id for row in rows])
    return [
        WorkflowAnswer(
            id=row.id,
            name=row.name,
            slug=row.slug,
            description=row.description,
            category=row.category,
            tags=row.tags,
            icon=row.icon,
            color=row.color,
            status=row.status,
            draft=row.draft,
            active_version=row.active_version,
            revision=row.revision,
            stats=WorkflowStatsAnswer.model_validate(stats[row.id]) if row.id in stats else WorkflowStatsAnswer(),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def run_answer(run: Run, settings: Settings) -> RunAnswer:
    """A run, with where it is found in Temporal's UI."""
    return RunAnswer(
        id=run.id,
        workflow_id=run.workflow_id,
        workflow_name=run.workflow_name,
        version=run.version,
        status=run.status,
        trigger=TriggerAnswer(type=run.trigger_type, event_id=run.trigger_event_id, data=run.input),
        input=run.input,
        output=run.output,
        error=None if run.error is None else RunErrorAnswer.model_validate(run.error),
        variables=run.variables,
        current_step=run.current_step,
        waiting_for=_wait(run.waiting_for),
        parent_run_id=run.parent_run_id,
        parent_path=run.parent_path,
        response=None if run.response is None else ResponseAnswer.model_validate(run.response),
        retry_of=run.retry_of,
        replaced_by=run.replaced_by,
        redriven_from=run.redriven_from,
        attempt=run.attempt,
        steps_completed=run.steps_completed,
        steps_total=run.steps_total,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_ms=milliseconds(run.started_at, run.finished_at),
        temporal=_temporal(run, settings),
        created_at=run.created_at,
        updated_at=run.updated_at,
    )


def step_answer(step: Step, attempts: Sequence[StepAttempt] | None = None) -> StepRecordAnswer:
    """A step record, with its failed attempts if they are given."""
    return StepRecordAnswer(
        run_id=step.run_id,
        path=step.path,
        step_id=step.step_id,
        name=step.name,
        type=step.type,
        action=step.action,
        status=step.status,
        generation=step.generation,
        attempt=step.attempt,
        inputs=step.inputs,
        output=step.output,
        error=_step_error(step.error),
        started_at=step.started_at,
        finished_at=step.finished_at,
        duration_ms=milliseconds(step.started_at, step.finished_at),
        wait=_wait(step.wait),
        decision=None if step.decision is None else DecisionAnswer.model_validate(step.decision),
        attempts=None if attempts is None else [_attempt(one) for one in attempts],
    )


def connection_answer(connection: Connection) -> ConnectionAnswer:
    """A connection; of its credentials only which fields there are."""
    return ConnectionAnswer(
        id=connection.id,
        kind=connection.kind,
        name=connection.name,
        description=connection.description,
        config=connection.config,
        credentials=CredentialsAnswer(
            configured=connection.credentials is not None, fields=connection.credential_fields
        ),
        status=connection.status,
        status_changed_at=connection.status_changed_at,
        last_used_at=connection.last_used_at,
        last_error=connection.last_error,
        created_at=connection.created_at,
        updated_at=connection.updated_at,
    )


def logged_event_answer(event: Logged, *, with_data: bool) -> LoggedEventAnswer:
    """An event of the list."""
    data = {"data": event.data} if with_data else {}
    return LoggedEventAnswer(
        **_event_fields(event), started_count=event.started_count, woke_count=event.woke_count, **data
    )


def event_answer(seen: Seen) -> EventAnswer:
    """One event with what it did."""
    event = seen.event
    return EventAnswer(
        **_event_fields(event),
        started_count=len(event.started),
        woke_count=len(event.woke),
        data=event.data,
        runs=[
            TouchedRunAnswer(
                id=did.run.id,
                workflow_id=did.run.workflow_id,
                workflow_name=did.run.workflow_name,
                status=did.run.status,
                effect=did.effect,
                step_paths=list(did.paths),
            )
            for did in seen.runs
        ],
    )


def _event_fields(event: Event | Logged) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "extensions": event.extensions,
        "received_at": event.received_at,
        "dispatched_at": event.dispatched_at,
        "caused_by": None if event.caused_by is None else CausedByAnswer.model_validate(event.caused_by),
        "only_workflow_id": event.only_workflow,
        "started": list(event.started),
        "woke": list(event.woke),
    }


def _temporal(run: Run, settings: Settings) -> TemporalAnswer:
    workflow_id = names.workflow_id(str(run.id))
    url = None
    if run.temporal_run_id is not None:
        base = f"{settings.resolved_temporal_ui_url}/namespaces/{settings.temporal_namespace}"
        url = f"{base}/workflows/{workflow_id}/{run.temporal_run_id}"
    return TemporalAnswer(workflow_id=workflow_id, run_id=run.temporal_run_id, url=url)


def _attempt(attempt: StepAttempt) -> AttemptAnswer:
    return AttemptAnswer(
        generation=attempt.generation,
        attempt=attempt.attempt,
        error=StepErrorAnswer.model_validate(attempt.error),
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        duration_ms=milliseconds(attempt.started_at, attempt.finished_at) or 0,
        next_attempt_at=attempt.next_attempt_at,
    )


def _step_error(error: JsonObject | None) -> StepErrorAnswer | None:
    return None if error is None else StepErrorAnswer.model_validate(error)


def _wait(waiting: JsonObject | None) -> WaitAnswer | None:
    return None if waiting is None else WaitAnswer.model_validate(waiting)
