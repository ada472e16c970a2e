"""The schedule trigger: moments of a calendar, or of an interval, start runs."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.definition.base import Document
from app.definition.durations import Duration

MOST_LINES = 20

Overlap = Literal["skip", "buffer_one", "allow_all"]
Line = Annotated[str, StringConstraints(min_length=1)]


class ScheduleTrigger(Document):
    """Started at the moments of `cron`, one or several, or every so often."""

    type: Literal["schedule"]
    cron: Line | Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES)] | None = Field(
        None,
        description="Five fields (`0 9 * * mon-fri`) or `@daily` and the like; a list for several.",
        examples=["0 9 * * mon-fri", "@daily"],
    )
    every: Duration | None = Field(
        None,
        description="Time from one run to the next, instead of `cron`: counted from midnight UTC, so that `15m` is "
        "each quarter of an hour.",
    )
    timezone: str = Field("UTC", description="IANA time zone that `cron` is read in.", examples=["Europe/Vienna"])
    jitter: Duration | None = Field(None, description="Each run begins up to this much later, by chance.")
    overlap: Overlap = Field(
        "skip",
        description="What a moment does that comes while the run before is under way: nothing (`skip`), wait for its "
        "end, one at most (`buffer_one`), or start beside it (`allow_all`).",
    )
    catch_up: Duration = Field(
        "1d", description="How old moments may be that an outage of Temporal missed; older ones are left out."
    )
    max_failures: int | None = Field(
        5,
        ge=1,
        le=1000,
        description="After so many failed runs in a row the schedule is paused and says so; null = never.",
    )

    @property
    def lines(self) -> list[str]:
        """The lines of `cron`."""
        if self.cron is None:
            return []
        return [self.cron] if isinstance(self.cron, str) else list(self.cron)
