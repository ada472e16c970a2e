"""Shapes of what a workspace has used of its plan."""

from datetime import datetime

from pydantic import Field

from api.schemas.base import Answer


class PeriodAnswer(Answer):
    """A calendar month of UTC."""

    start: datetime = Field(description="Its first moment.")
    end: datetime = Field(description="The first moment of the next one.")


class LimitAnswer(Answer):
    """One limit of the plan."""

    used: int | None = Field(description="What there is; null where the limit is of each definition.")
    allowed: int | None = Field(description="What the plan allows; null is any number.")
    remaining: int | None = Field(description="What is left; null where nothing limits it.")


class FeaturesAnswer(Answer):
    """What definitions may use."""

    branches: bool = Field(description="`condition` steps.")
    parallel: bool = Field(description="`parallel` steps, and loops that walk several items at a time.")


class RateAnswer(Answer):
    """A limit of requests."""

    policy: str = Field(description="Its name in the headers `RateLimit-Policy` and `RateLimit`: key or workspace.")
    limit: str = Field(description="As it is written in settings.", examples=["600/minute"])
    quota: int = Field(description="Requests taken in a window.")
    window_seconds: int = Field(description="How long a window is.")


class UsageAnswer(Answer):
    """What the workspace has used of what its plan allows."""

    plan: str = Field(description="free, pro, enterprise or own.")
    period: PeriodAnswer
    limits: dict[str, LimitAnswer] = Field(
        description="By name: workflows, executions, connections, webhooks, schedules, steps, delay_seconds."
    )
    features: FeaturesAnswer
    history_days: int | None = Field(description="Days that ended runs and events are kept; null is for ever.")
    runs: dict[str, int] = Field(description="Runs of the period that are still kept, by status.")
    rate_limits: list[RateAnswer]
