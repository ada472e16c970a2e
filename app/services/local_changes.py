"""Effects on our own database: a change and the outcome of the step that makes it are committed together.

So such an effect is made exactly once, whatever dies: there is no outcome without the change, and a repeat finds both
or neither. Two attempts at the same time take turns.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement, execute, is_down
from app.json import JsonObject
from app.services import records
from app.services.platform import Platform
from app.temporal.messages import ActionCall, ActionOutcome

Afterwards = Callable[[Platform], Awaitable[JsonObject]]


@dataclass(frozen=True)
class LocalChange:
    """What a local action may use: the transaction its outcome is committed in, and whose step it is."""

    session: AsyncSession
    workspace_id: UUID
    run_id: UUID
    path: str
    afterwards: list[Afterwards] = field(default_factory=list)
    """To be done once the change is committed; each gives further fields of the output. What of it is lost when the
    process dies has to be made good by others."""


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"

Change = Callable[[LocalChange], Awaitable[ActionOutcome]]


def is_interrupted(error: Exception) -> bool:
    """Whether a change raised this because the database went away under it. `make` turns it into `Unavailable`, if the
    change lets it pass."""
    return is_down(error)


async def make(platform: Platform, call: ActionCall, change: Change) -> tuple[ActionOutcome, list[Afterwards] | None]:
    """Make the change and keep its outcome, unless that was done before; then there is nothing to be done afterwards
    but for who did it, which None says.

    Raises what `change` raises, with nothing changed, `records.RunEnded`, and `Unavailable`: then it may or may not be
    done, and the same again finds out.
    """
    try:
        return await _make(platform, call, change)
    except psycopg.errors.ForeignKeyViolation:
        raise records.RunEnded from None  # it is gone


async def _make(platform: Platform, call: ActionCall, change: Change) -> tuple[ActionOutcome, list[Afterwards] | None]:
    workspace_id = UUID(call.workspace_id)
    async with platform.database.transaction(workspace_id) as session:
        await execute(session, Statement(_LOCK, {"name": f"holdfast effect {call.key}"}))
        stored = records.read_outcome(await execute(session, records.outcome_of(call)))
        if stored is not None:
            return stored, None
        local = LocalChange(session, workspace_id, UUID(call.run_id), call.path)
        outcome = await change(local)
        await execute(session, records.commit_of(call, outcome))
    return outcome, local.afterwards
