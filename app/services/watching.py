"""A run watched while it goes: what changed since the last look, until it ends. For live views; nothing is written."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from app.db.models import Run, Step
from app.json import Json
from app.services import runs
from app.services.errors import Unavailable
from app.services.launching import has_ended
from app.services.live import STEP_ENDED, merged_steps, timeline_of, views_of, with_timeline
from app.services.platform import Platform
from app.store import steps as step_store
from app.temporal.messages import StepRecord

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 1.0
WATCHED_STEPS = 500
"""Only this many of the steps that began last are looked at: a long loop must not make every look a long one."""

Mark: TypeAlias = tuple[str, int, int, Json]
"""Status, generation, attempt and error of a step: what tells whether it changed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step record that is new or other than it was."""

    step: Step


@dataclass(frozen=True, slots=True)
class RunChanged:
    """The run, other than it was; `kind` is `done` the last time, when it has ended."""

    kind: Literal["run", "done"]
    run: Run


async def watch(platform: Platform, workspace_id: UUID, run_id: UUID) -> AsyncIterator[StepChanged | RunChanged]:
    """What there is, then what changes, and at last `done`. A database that is away for a while ends nothing.

    Raises `NotFound` at once when there is no such run.
    """
    run = await runs.get(platform, workspace_id, run_id, live=False)
    seen_steps: dict[str, Mark] = {}
    seen_run: Json = None
    pause = SHORTEST_PAUSE
    while True:
        changed = False
        try:
            run = await runs.get(platform, workspace_id, run_id, live=False)
            fresh = await _changed_steps(platform, run, seen_steps)
        except Unavailable as error:
            logger.warning("watching run %s: %s", run_id, error.detail)
            await asyncio.sleep(LONGEST_PAUSE)
            continue
        for step in fresh:
            changed = True
            yield StepChanged(step)
        if has_ended(run):
            yield RunChanged("done", run)
            return
        if (now := _state(run)) != seen_run:
            changed, seen_run = True, now
            yield RunChanged("run", run)
        pause = SHORTEST_PAUSE if changed else min(pause * 1.5, LONGEST_PAUSE)
        await asyncio.sleep(pause)


async def _changed_steps(platform: Platform, run: Run, seen: dict[str, Mark]) -> list[Step]:
    """Steps that are other than in `seen`, which is brought up to date. Also brings `run` up to its timeline."""
    timeline = await timeline_of(platform, run)
    with_timeline(run, timeline)
    records = timeline.steps if timeline else []
    async with platform.database.transaction(run.workspace_id) as session:
        marks = await step_store.latest(session, run.workspace_id, run.id, limit=WATCHED_STEPS)
        paths = {
            row.path for row in marks if seen.get(row.path) != (row.status, row.generation, row.attempt, row.error)
        }
        # What the timeline says is looked at together with its row: either may know more than the other.
        paths |= {each.path for each in records if each.status not in STEP_ENDED or seen.get(each.path) != _mark(each)}
        rows = await step_store.at(session, run.workspace_id, run.id, sorted(paths)) if paths else []
    fresh = []
    for step in merged_steps(rows, records, run.workspace_id, run.id):
        if _is_news(seen.get(step.path), mark := _mark(step)):
            seen[step.path] = mark
            fresh.append(step)
    return [view.step for view in await views_of(platform, run, fresh, shown=False)]


def _mark(step: Step | StepRecord) -> Mark:
    return step.status, step.generation, step.attempt, step.error


def _is_news(seen: Mark | None, now: Mark) -> bool:
    """Rows and timeline lag behind each other: a step that was seen ended does not begin again in its generation."""
    if seen is None:
        return True
    began_again = seen[0] in STEP_ENDED and seen[1] == now[1] and now[0] not in STEP_ENDED
    return seen != now and not began_again


def _state(run: Run) -> Json:
    return [run.status, run.current_step, run.waiting_for, run.steps_completed, run.variables, run.error]
