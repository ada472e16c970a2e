"""Shapes of runs and their step records."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import Json, JsonObject

RunStatus = Literal["pending", "running", "waiting", "paused", "held", "completed", "failed", "cancelled", "timed_out"]
StepStatus = Literal["pending", "running", "waiting", "held", "completed", "failed", "skipped", "cancelled"]


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
    """Why the run ended as it did."""

    type: str
    message: str
    step_id: str | None = None
    path: str | None = Field(None, description="The step record that failed.")


class WaitAnswer(Answer):
    """What is waited for."""

    kind: str = Field(description="`event` or `delay`.")
    event: str | None = None
    until: datetime | None = None


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
    parent_run_id: UUID | None
    retry_of: UUID | None
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

    attempt: int
    error: StepErrorAnswer
    started_at: datetime
    finished_at: datetime
    duration_ms: int
    next_attempt_at: datetime | None = Field(description="Null when no attempt was left.")


class StepRecordAnswer(Answer):
    """One step of a run, as far as it got."""

    run_id: UUID
    path: str = Field(description="Which step, and in which iteration.", examples=["each[3].nudge"])
    step_id: str
    name: str
    type: str
    action: str | None
    status: StepStatus
    attempt: int
    inputs: Json = Field(description="The resolved inputs; secrets are masked.")
    output: Json
    error: StepErrorAnswer | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    wait: WaitAnswer | None
    attempts: list[AttemptAnswer] | None = Field(None, description="Its failed attempts, when asked for.")
