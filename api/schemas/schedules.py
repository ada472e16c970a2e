"""Shapes of schedules: what is asked of one, and what is answered."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.base import Answer, RequestModel
from api.schemas.runs import RunAnswer
from app.json import JsonObject

ScheduleStatus = Literal["active", "paused"]


class TriggerNowRequest(RequestModel):
    """How a run is started at once."""

    overlap: Literal["skip", "buffer_one", "allow_all"] | None = Field(
        None,
        description="What this start does while a run of the schedule is under way; default: as the schedule says.",
    )


class BackfillRequest(RequestModel):
    """The period whose moments get their runs."""

    from_: AwareDatetime = Field(alias="from", strict=False, description="Its first moment, RFC 3339.")
    to: AwareDatetime = Field(strict=False, description="Its last moment, not in the future.")
    overlap: Literal["buffer_all", "allow_all"] = Field(
        "buffer_all", description="One run after the other, or all at once."
    )


class PauseScheduleRequest(RequestModel):
    """Why it is paused."""

    reason: str | None = Field(None, max_length=400, description="For whoever sees it next.")


class PreviewRequest(RequestModel):
    """A trigger that need not be published."""

    trigger: JsonObject = Field(
        description="`cron` or `every`, and what goes with it.",
        examples=[{"cron": "30 2 * * *", "timezone": "Europe/Vienna"}],
    )
    count: int = Field(10, ge=1, le=100, description="How many moments are shown.")


class LastRunAnswer(Answer):
    """The run of the schedule that began last; `id` is null where none could begin."""

    id: UUID | None
    status: str
    scheduled_for: datetime | None
    started_at: datetime | None
    error: str | None = Field(description="Why none could begin.")


class ScheduleAnswer(Answer):
    """A schedule trigger of a published workflow."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    position: int = Field(description="Place of the trigger among all triggers of the definition.")
    trigger: JsonObject = Field(description="The trigger as it was published, with its defaults.")
    status: ScheduleStatus = Field(description="`paused`: it starts no runs at present.")
    paused_reason: str | None
    paused_by: str | None = Field(description="Null where its workflow, failures or somebody in Temporal did.")
    paused_at: datetime | None
    consecutive_failures: int
    last_run: LastRunAnswer | None
    running: int = Field(description="Runs of it that have not ended.")
    in_step: bool = Field(description="Temporal has it as it was published. If not, upkeep sees to that.")
    sync_error: str | None = Field(description="Why Temporal does not have it as it should be.")
    created_at: datetime
    updated_at: datetime


class ScheduleDetailAnswer(ScheduleAnswer):
    """A schedule with what Temporal says of it."""

    next_runs: list[datetime] | None = Field(description="The next ten; null where Temporal could not be asked.")
    missed: int | None = Field(description="Moments that were older than `catch_up` when Temporal was back.")
    skipped: int | None = Field(description="Moments that `overlap` left out.")
    note: str | None = Field(description="Why something is not known.")


class TriggeredAnswer(Answer):
    """A moment that was made up for a trigger by hand."""

    schedule_id: UUID
    scheduled_for: datetime
    run: RunAnswer | None = Field(description="Null when it had not begun after some seconds.")
    note: str | None


class BackfilledAnswer(Answer):
    """A period that is filled in."""

    schedule_id: UUID
    moments: int = Field(description="Moments of the period. Those that had their run are not run again.")


class PreviewAnswer(Answer):
    """When a trigger would start runs."""

    timezone: str
    moments: list[datetime]
    local_times: list[str] = Field(description="The same in its time zone.")
