"""Shapes of run control: what is asked of one run, or of all that match, and what became of each."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from api.schemas.problems import ProblemDocument
from api.schemas.runs import RunFilterRequest, RunStatus
from app.json import Json, JsonObject

Control = Literal["cancel", "pause", "resume", "decide", "approve", "signal", "retry", "redrive"]

MAX_TYPE = 512


class EmptyRequest(RequestModel):
    """Nothing is told."""


class DecideEachRequest(RequestModel):
    """What becomes of every held step of a run, or of the one at `step_path`."""

    step_path: str | None = Field(None, description="The held step; every held step when left out.")
    decision: Literal["retry", "skip", "fail"] = Field(
        description="`retry` does the step again, `skip` goes on without it, `fail` lets it fail."
    )
    inputs: JsonObject | None = Field(
        None, description="For a retry of an action: inputs in place of those it failed with; the same when left out."
    )
    output: Json = Field(None, description="For a skipped step: what later steps see as its output.")


class DecideRequest(DecideEachRequest):
    """What becomes of a held step."""

    step_path: str = Field(description="Path of the held step.", examples=["each[3].charge"])


class SignalRequest(RequestModel):
    """An event for this run alone."""

    event: str | None = Field(
        None, min_length=1, description="Its type; when left out, the one the run waits for.", examples=["crm.deal.won"]
    )
    data: Json = Field(None, description="Its data, which must fit the wait's `match`.")
    step_path: str | None = Field(None, description="Only for the wait at this path; else for each that it fits.")


class RedriveRequest(RequestModel):
    """Where a run goes on from."""

    from_step: str | None = Field(
        None, description="Path of the step to begin with; the one that failed when left out.", examples=["charge"]
    )
    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="A version whose finished part is the same; the run's own when left out.",
    )


class BulkRequest(RequestModel):
    """One thing done to all runs that match."""

    control: Control
    filter: RunFilterRequest
    arguments: JsonObject = Field(
        default_factory=dict,
        description="The body of the control of one run. For `decide`, `step_path` may be left out: every held step.",
        examples=[{"decision": "retry"}],
    )
    limit: int = Field(50, ge=1, le=100, description="Most runs taken by this call.")
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the call before.")


class BulkItemAnswer(Answer):
    """What became of one run."""

    run_id: UUID
    outcome: Literal["done", "refused", "failed"] = Field(
        description="`refused`: its state does not allow it. `failed`: a part was down; it may take effect or not."
    )
    status: RunStatus | None = Field(description="The run's status after; null when it cannot be told.")
    new_run_id: UUID | None = Field(None, description="The retry or redrive.")
    problem: ProblemDocument | None = Field(None, description="Why it was not done.")


class BulkAnswer(Answer):
    """What became of the runs this call took."""

    items: list[BulkItemAnswer]
    next_cursor: str | None = Field(description="Give it as `cursor` to take the next runs; null = none are left.")
    matched: int = Field(description="Runs that match the filter now, taken or not.")
