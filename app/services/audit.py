"""The audit log's writing side: who asks at present, and one entry for each thing they do. Reading is `audit_log`'s.

Who asks is set once a request, where the key or token is looked at, and is a context variable: use cases do not hand it
on to each other. Whatever nobody asked for (workers, upkeep, what an event starts) leaves no entry; runs and events
have records of their own.

An entry is written in the transaction of what it tells of, by `note`: there is neither without the other. What is done
in Temporal has no transaction of ours; `note_done` writes of it right after it was done.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.engine import Database, Statement, execute
from app.json import JsonObject
from app.services.audit_facts import changed, compact
from app.services.errors import Unavailable
from app.store import audit as store
from app.store.audit import Made

__all__ = [
    "ACTIONS", "ACTORS", "Asking", "Kind", "Made", "asked_by", "asking", "note", "note_done", "note_refused",
    "statement",
]  # fmt: skip

logger = logging.getLogger(__name__)

_ACTIONS_OF: Mapping[str, Sequence[str]] = {
    "workflow": (
        "create", "update", "delete", "publish", "activate", "pause", "archive", "duplicate", "restore", "apply",
        "add_step", "replace_step", "delete_step", "reorder_steps",
    ),
    "webhook": ("create", "update", "delete", "rotate"),
    "delivery": ("replay",),
    "connection": ("create", "update", "delete", "authorize", "receive", "stop_receiving", "rotate_address"),
    "variable": ("create", "update", "delete"),
    "schedule": ("trigger", "backfill", "pause", "resume"),
    "run": ("start", "cancel", "pause", "resume", "decide", "signal", "retry", "redrive"),
    "approval": ("answer",),
    "event": ("replay",),
    "workspace": ("create", "update", "delete"),
    "member": ("create", "update", "delete"),
    "api_key": ("create", "update", "rotate", "revoke"),
    "payload_key": ("create", "retire", "delete"),
    "payload": ("read",),
    "platform_key": ("create", "revoke"),
    "encryption_key": ("rotate",),
    "permission": ("refuse",),
}  # fmt: skip
ACTIONS: Mapping[str, str] = MappingProxyType(
    {f"{target}.{verb}": target for target, verbs in _ACTIONS_OF.items() for verb in verbs}
)
"""Every action there is, `<target type>.<verb>`, and what kind of thing it is done to."""

MAX_TEXT = 500
"""Characters of a name, an address or a user agent that are kept."""


Kind = Literal["key", "person", "platform", "link", "system"]
ACTORS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and from where. `id` is the key's, a person's `sub` or the approver a link is for."""

    kind: Kind
    id: str | None
    name: str
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


_asking: ContextVar[Asking | None] = ContextVar("audit_asking", default=None)


@contextmanager
def asking(who: Asking | None) -> Iterator[None]:
    """Within the block this one asks; None: nobody, until `asked_by` says who."""
    before = _asking.set(who)
    try:
        yield
    finally:
        _asking.reset(before)


def asked_by(who: Asking) -> None:
    """From here on to the end of the `asking` block around it, this one asks."""
    _asking.set(who)


async def note(
    session: AsyncSession,
    action: str,
    target_id: UUID | str | None,
    target_name: str | None = None,
    *,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
) -> None:
    """Write what is done into the log, in the transaction that does it. What the session has to write is written first.

    Of `before` and `after` together only what differs is kept, and nothing at all is written when nothing does.
    """
    written = statement(action, target_id, target_name, before=before, after=after)
    if written is not None:
        await execute(session, written)


async def note_done(
    database: Database,
    workspace_id: UUID,
    action: str,
    target_id: UUID | str | None,
    target_name: str | None = None,
    *,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
) -> None:
    """As `note`, of what Temporal has done already. To say that it was not because the database is away just now would
    have it done twice: then the process's log says what the audit log lacks."""
    written = statement(action, target_id, target_name, before=before, after=after)
    if written is None:
        return
    try:
        await database.run(workspace_id, written)
    except Unavailable as error:
        who = written.parameters
        told = (action, target_id, who["actor_kind"], who["actor_id"], who["request_id"], error.detail)
        logger.error("not in the audit log: %s of %s by %s %s (request %s): %s", *told)


async def note_refused(database: Database, workspace_id: UUID, permission: str, operation: str) -> None:
    """Write that somebody was refused what they may not do. The refusal stands whether that works or not."""
    written = statement("permission.refuse", permission, operation, after={"permission": permission}, outcome="refused")
    if written is None:
        return
    try:
        await database.run(workspace_id, written)
    except Unavailable as error:
        logger.warning("a refusal of %s is not in the audit log: %s", permission, error.detail)


def statement(
    action: str,
    target_id: UUID | str | None,
    target_name: str | None = None,
    *,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
    outcome: str = "done",
    made: Made | None = None,
) -> Statement | None:
    """The statement that writes the entry, for a transaction of statements; None when nobody asks or nothing changes.
    With `made` it writes only if the transaction made that."""
    target_type = ACTIONS[action]
    who = _asking.get()
    if who is None:
        return None
    if before is not None and after is not None:
        before, after = changed(before, after)
        if not before and not after:
            return None
    entry = store.Entry(
        id=uuid7(),
        actor_kind=who.kind,
        actor_id=who.id,
        actor_name=who.name[:MAX_TEXT],
        action=action,
        target_type=target_type,
        target_id=None if target_id is None else str(target_id),
        target_name=None if target_name is None else target_name[:MAX_TEXT],
        address=who.address,
        user_agent=None if who.user_agent is None else who.user_agent[:MAX_TEXT],
        request_id=who.request_id,
        before=compact(before),
        after=compact(after),
        outcome=outcome,
    )
    return store.add(entry, made)
