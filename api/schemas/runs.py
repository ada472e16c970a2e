"""Shapes of runs and their step records."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field

from api.schemas.base import Answer, RequestModel
from app.json import Json, JsonObject

RunStatus = Literal["pending", "running", "waiting", "paused", "held", "completed", "failed", "cancelled", "timed_out"]
StepStatus = Literal["pending", "running", "waiting", "held", "completed", "failed", "skipped", "cancelled"]


def _text(value: Json) -> Json:
    """What a filter's ids and moments come as: a number would be taken for seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


Id = Annotated[UUID, Field(strict=False), BeforeValidator(_text)]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text)]


class RunFilterRequest(RequestModel):
    """Which runs are meant: the conditions of `GET /v1/runs`, all of which must hold."""

    workflow_id: Id | None = Field(None, description="Only those of this workflow.")
    status: str | None = Field(None, description="Only those of this status, or of several with commas.")
    trigger: str | None = Field(None, description="Only those started so: `manual`, `event`, `workflow`.")
    started_after: Moment | None = Field(None, description="Only those started then or later.")
    started_before: Moment | None = Field(None, description="Only those started earlier.")
    waiting_for: str | None = Field(None, description="Only those that wait for this kind of thing, or event type.")
    parent_run_id: Id | None = Field(None, description="Only those that a step of this run started.")
    q: str | None = Field(None, description="Only those with this text in workflow name, error or event id.")
    all: bool = Field(False, description="Every run is meant, if no condition is named.")


class RunRequest(RequestModel):
    """What a run is started with."""

    input: Json = Field(
        None, description="What `trigger` holds in the run's expressions.", examples=[{"email": "ada@example.com"}]
    )
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="A published version; the active one when left out."
    )
    variables: JsonObject | None = Field(None, description="Values over the definition's own variables.")


class TriggerAnswer(Answer):
    """What started the run."""

    type: str
    event_id: str | None
    data: Json


class RunErrorAnswer(Answer):
    """Why the run ended as it did, or why it is held."""

    type: str
    message: str
    step_id: str | None = None
    path: str | None = Field(None, description="The step record that failed.")


class WaitAnswer(Answer):
    """What is waited for."""

    kind: str = Field(
        description="`event`, `approval` (somebody approves or rejects), `delay` (a moment), `retry` (the next "
        "attempt), `decision` (an operator decides) or `run` (one that a step started); of a pending run `concurrency` "
        "(a place) or `rate` (the hour), which does not begin before `until`."
    )
    event: str | None = None
    until: datetime | None = None
    run_id: UUID | None = Field(None, description="The run that is waited for.")


class ResponseAnswer(Answer):
    """What the run answered the call that started it with."""

    path: str = Field(description="The `respond` step.")
    status: int
    headers: dict[str, str]
    body: Json
    at: datetime


class TemporalAnswer(Answer):
    """Where the run is found in Temporal's own UI."""

    workflow_id: str
    run_id: str | None = Field(description="Null while the run is not yet started there.")
    url: str | None


class RunAnswer(Answer):
    """One execution of a workflow."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    status: RunStatus
    trigger: TriggerAnswer
    input: Json
    output: Json
    error: RunErrorAnswer | None
    variables: JsonObject
    current_step: str | None = Field(description="Path of the step that is being done.")
    waiting_for: WaitAnswer | None
    parent_run_id: UUID | None = Field(description="The run whose step started this one.")
    parent_path: str | None = Field(description="Path of that step.")
    response: ResponseAnswer | None
    retry_of: UUID | None = Field(description="The run this one is a retry or a redrive of.")
    replaced_by: UUID | None = Field(description="The run that took this one's place (`concurrency` of the workflow).")
    redriven_from: str | None = Field(description="Path of the step a redrive began with; null for any other run.")
    attempt: int
    steps_completed: int
    steps_total: int = Field(description="Steps of the definition; those in loops may be done more than once.")
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    temporal: TemporalAnswer
    created_at: datetime
    updated_at: datetime


class StepErrorAnswer(Answer):
    """Why a step failed."""

    type: str
    message: str
    retryable: bool | None = None
    provider_code: str | None = None


class AttemptAnswer(Answer):
    """One failed attempt of a step."""

    generation: int = Field(description="Which time the step was begun; its attempts count from 1 each time.")
    attempt: int
    error: StepErrorAnswer
    started_at: datetime
    finished_at: datetime
    duration_ms: int
    next_attempt_at: datetime | None = Field(description="Null when no attempt was left.")


class DecisionAnswer(Answer):
    """What somebody decided about a held step."""

    decision: str = Field(description="`retry`, `skip` or `fail`.")
    by: str | None = Field(description="Name of the API key.")
    at: datetime


class StepRecordAnswer(Answer):
    """One step of a run, as far as it got."""

    run_id: UUID
    path: str = Field(description="Which step, and in which iteration.", examples=["each[3].nudge"])
    step_id: str
    name: str
    type: str
    action: str | None
    status: StepStatus
    generation: int = Field(description="Counts the times the step was begun: again by an operator, or in a retry.")
    attempt: int
    inputs: Json = Field(description="The resolved inputs; secrets are masked.")
    output: Json
    error: StepErrorAnswer | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    wait: WaitAnswer | None = Field(description="What it waits for, or waited for.")
    decision: DecisionAnswer | None = Field(description="What was decided the last time it was held.")
    attempts: list[AttemptAnswer] | None = Field(None, description="Its failed attempts, when asked for.")
