"""The schedule trigger: moments of a calendar, or of an interval, start runs."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.durations import Duration


class ScheduleTrigger(Document):
    """Started at the moments of `cron`, one or several, or every so often."""

    type: Literal["schedule"]
    cron: str | list[str] | None = Field(
        None, description="Five fields (`0 9 * * mon-fri`) or `@daily` and the like; a list for several."
    )
    every: Duration | None = Field(None, description="Time from one run to the next, instead of `cron`.")
    timezone: str = Field("UTC", description="IANA time zone that `cron` is read in.", examples=["Europe/Vienna"])
    jitter: Duration | None = Field(None, description="Each run begins up to this much later, by chance.")
    overlap: Literal["skip", "buffer_one", "allow_all"] = Field(
        "skip", description="What a moment does that comes while the run before is under way."
    )
    catch_up: Duration | None = Field(None, description="How old moments may be that an outage missed.")
    max_failures: int | None = Field(
        5, ge=1, le=1000, description="After so many failed runs in a row the schedule is paused; null = never."
    )
