"""The run a new run is a child of: whether it may have another child, and how deep that is nested."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.services.errors import Conflict
from app.services.launching import has_ended
from app.store import children

MAX_DEPTH = 10
"""Runs above a run. Publishing refuses circles it can see; those made of expressions end here."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The step that starts a run: its run, its path, and whether it waits for the end."""

    run_id: UUID
    path: str
    waits: bool


async def depths_below(session: AsyncSession, workspace_id: UUID, parent: Parent | None) -> tuple[int, int]:
    """How many runs are above a child of this run, which does not end before the transaction does, and how many events
    led to it.

    Raises `Conflict` (`parent_ended`, `runs_nested_too_deep`).
    """
    if parent is None:
        return 0, 0
    run = await children.parent(session, workspace_id, parent.run_id)
    if run is None or has_ended(run):
        raise Conflict("parent_ended", f"run {parent.run_id}, which asks for it, has ended.")
    if run.depth >= MAX_DEPTH:
        raise Conflict(
            "runs_nested_too_deep",
            f"there are {MAX_DEPTH} runs above it already, each started by the one before: "
            "a workflow must not run itself, not by way of others either.",
        )
    return run.depth + 1, run.cause_depth
