"""The audit log's reading side: pages of it, and all of it for an export. How it is written is `audit`'s subject."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from uuid import UUID

from app.db.models import AuditEntry
from app.definition.problems import Problem
from app.services.audit import ACTIONS
from app.services.errors import Invalid
from app.services.paging import Page, decode_cursor, page_of
from app.services.platform import Platform
from app.store import audit as store
from app.store.audit import AuditFilter

__all__ = ["AuditFilter", "actions_of", "export", "list_"]

EXPORTED_TOGETHER = 1000


def actions_of(wanted: str | None) -> Sequence[str] | None:
    """The actions that a filter means: one, or with `workflow.*` (or `workflow.`) all that begin so. Raises `Invalid`
    (`unknown_audit_action`) where it means none."""
    if wanted is None:
        return None
    begin = wanted.removesuffix("*")
    found = [action for action in ACTIONS if action.startswith(begin)] if begin.endswith(".") else [wanted]
    if found and all(action in ACTIONS for action in found):
        return found
    near = get_close_matches(wanted, [*ACTIONS, *(f"{target}.*" for target in ACTIONS.values())], n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(ACTIONS)}"
    problem = Problem("query.action", "there is no such action", hint)
    raise Invalid("unknown_audit_action", f"action: there is no {wanted[:100]!r}; {hint}.", [problem])


async def list_(
    platform: Platform, workspace_id: UUID, filter_: AuditFilter, *, limit: int = 50, cursor: str | None = None
) -> Page[AuditEntry]:
    """A page of the log, newest first. Raises `Invalid` (`invalid_cursor`)."""
    before = decode_cursor(cursor, UUID)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(session, workspace_id, filter_, before=before, limit=limit + 1)
    return page_of(found, limit, lambda entry: str(entry.id))


async def export(platform: Platform, workspace_id: UUID, filter_: AuditFilter) -> AsyncIterator[Sequence[AuditEntry]]:
    """All entries that match, newest first, a thousand at a time: none of what is written from now on, so that it ends.
    Each thousand is a short transaction of its own; the first may be none at all."""
    now = datetime.now(UTC)
    filter_ = replace(filter_, until=now if filter_.until is None else min(filter_.until, now))
    before: UUID | None = None
    while True:
        async with platform.database.transaction(workspace_id) as session:
            found = await store.list_(session, workspace_id, filter_, before=before, limit=EXPORTED_TOGETHER)
        yield found
        if len(found) < EXPORTED_TOGETHER:
            return
        before = found[-1].id
