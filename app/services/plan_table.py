"""The plans there are and what each allows: data alone, and what of a definition goes beyond one. No database.

The numbers are the pricing table's of the reference (document 004). `own` is an installation's own workspace, which
nothing limits; it is what a workspace has unless the platform's administrator says otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from app.definition import durations
from app.definition.durations import is_constant
from app.definition.errors import DurationError
from app.definition.model import Definition
from app.definition.paths import format_path
from app.definition.problems import Problem
from app.definition.steps import ConditionStep, DelayStep, LoopStep, ParallelStep
from app.definition.tree import walk, walk_paths

HOUR, DAY = 3600, 86_400

COUNTED = ("workflows", "executions", "connections", "webhooks", "schedules")
"""Limits on how many there are; `executions` in a month."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a plan allows; None is no limit. These names are those of overrides and of answers too."""

    name: str
    workflows: int | None = None
    """That are not archived."""
    executions: int | None = None
    """Runs that begin in a calendar month of UTC."""
    steps: int | None = None
    """In a definition."""
    delay_seconds: int | None = None
    """One delay may last."""
    connections: int | None = None
    history_days: int | None = None
    webhooks: int | None = None
    schedules: int | None = None
    """Of active workflows."""
    branches: bool = True
    """Whether `condition` steps may be used."""
    parallel: bool = True
    """Whether steps may go on beside each other: `parallel`, and loops with several items at a time."""
    rate_limit: str | None = None
    """Of the workspace's requests, such as `600/minute`; None: HOLDFAST_RATE_LIMIT_WORKSPACE."""


PLANS = MappingProxyType(
    {
        plan.name: plan
        for plan in (
            Plan(
                name="free",
                workflows=3,
                executions=100,
                steps=5,
                delay_seconds=HOUR,
                connections=2,
                history_days=7,
                webhooks=1,
                schedules=0,
                branches=False,
                parallel=False,
                rate_limit="300/minute",
            ),
            Plan(
                name="pro",
                workflows=25,
                executions=5_000,
                steps=25,
                delay_seconds=7 * DAY,
                connections=10,
                history_days=30,
                webhooks=5,
                schedules=5,
                parallel=False,
                rate_limit="1200/minute",
            ),
            Plan(name="enterprise", executions=50_000, delay_seconds=30 * DAY, history_days=90),
            Plan(name="own"),
        )
    }
)
"""By name, smallest first."""


def beyond(definition: Definition, plan: Plan) -> list[Problem]:
    """What of the definition the plan does not allow. How long a delay lasts that is worked out when its step is
    reached, is for the run to see, which takes the limit along."""
    return [*_steps(definition, plan), *_kinds(definition, plan)]


def _steps(definition: Definition, plan: Plan) -> Iterator[Problem]:
    used = sum(1 for _ in walk(definition))
    if plan.steps is not None and used > plan.steps:
        yield Problem("steps", f"there are {used} steps, and the plan {plan.name} allows {plan.steps}", "use fewer")


def _kinds(definition: Definition, plan: Plan) -> Iterator[Problem]:
    for place, step in walk_paths(definition):
        path = format_path(place)
        if isinstance(step, ConditionStep) and not plan.branches:
            hint = "give steps a `when` instead"
            yield Problem(path, f"the plan {plan.name} has no conditional branches", hint)
        elif isinstance(step, ParallelStep) and not plan.parallel:
            hint = "put the branches' steps one after the other"
            yield Problem(path, f"the plan {plan.name} has no parallel execution", hint)
        elif isinstance(step, LoopStep) and step.concurrency > 1 and not plan.parallel:
            yield Problem(f"{path}.concurrency", f"the plan {plan.name} has no parallel execution", "leave it out")
        elif isinstance(step, DelayStep) and plan.delay_seconds is not None and _is_longer(step, plan.delay_seconds):
            longest = durations.in_words(plan.delay_seconds)
            message = f"{step.duration} is longer than the {longest} that the plan {plan.name} allows"
            yield Problem(f"{path}.duration", message, "make it shorter")


def _is_longer(step: DelayStep, seconds: int) -> bool:
    """Whether it waits longer, where that is written out."""
    if step.duration is None or not is_constant(step.duration):
        return False
    try:
        return durations.parse(step.duration).total_seconds() > seconds
    except DurationError:
        return False
