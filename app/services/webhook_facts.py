"""What a delivery is judged by: the webhook with its secrets, and the trigger of the version that runs. Read from the
database and remembered a few seconds; whoever refuses on the strength of a memory looks again first, and what is taken
is only kept while it is still so.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.definition.triggers import AnyTrigger, WebhookTrigger
from app.json import JsonObject
from app.security import webhook_tokens
from app.security.credentials import CredentialsError
from app.services.errors import NotFound, Unavailable
from app.services.platform import Platform
from app.store import webhooks as store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook as it was when it was read. `trigger` is None where its workflow has none at its position."""

    workspace_id: UUID
    id: UUID
    workflow_id: UUID
    position: int
    enabled: bool
    revision: int
    workflow_name: str
    workflow_status: str
    version: int | None
    trigger: WebhookTrigger | None
    token: str = field(repr=False)
    secret: str = field(repr=False)
    previous: str | None = field(repr=False)
    previous_until: datetime | None
    read_at: float = field(default_factory=time.monotonic)

    def secrets(self, now: datetime) -> Sequence[str]:
        """Those that deliveries may be signed with."""
        if self.previous is None or self.previous_until is None or now >= self.previous_until:
            return (self.secret,)
        return (self.secret, self.previous)


def context(workspace_id: UUID, webhook_id: UUID) -> str:
    """What the ciphertext of a webhook's secrets belongs to."""
    return f"webhook:{workspace_id}:{webhook_id}"


@dataclass(frozen=True)
class _Published:
    digest: str
    definition: JsonObject = field(compare=False, hash=False)


def trigger_at(definition: JsonObject, position: int, *, digest: str | None) -> WebhookTrigger | None:
    """The webhook trigger at this place; None when there is none, or the definition is an unfinished draft. One that
    has a `digest` is a version's, which never changes, and is read once."""
    triggers = _triggers(definition) if digest is None else _published_triggers(_Published(digest, definition))
    found = triggers[position] if position < len(triggers) else None
    return found if isinstance(found, WebhookTrigger) else None


@lru_cache(maxsize=512)
def _published_triggers(version: _Published) -> Sequence[AnyTrigger]:
    return _triggers(version.definition)


def _triggers(definition: JsonObject) -> Sequence[AnyTrigger]:
    try:
        return parse(definition).all_triggers
    except DefinitionInvalid:
        return ()


async def remembered(platform: Platform, token: str) -> tuple[Hook, bool]:
    """The webhook of a token, and whether that is remembered rather than read just now. Raises as `read`."""
    known = platform.hooks.get(webhook_tokens.digest(token))
    return (known, True) if known is not None else (await read(platform, token), False)


async def read(platform: Platform, token: str) -> Hook:
    """The webhook of a token as it is now. Raises `NotFound` for whatever leads to none, and `Unavailable`."""
    presented = webhook_tokens.read(token)
    if presented is None:
        raise unknown()
    (rows,) = await platform.database.run(
        presented.workspace_id, store.by_token(presented.workspace_id, presented.hash)
    )
    if not rows:
        platform.hooks.forget(presented.hash)
        raise unknown()
    hook = _hook(platform, presented.workspace_id, store.Kept(*rows[0]))
    platform.hooks.put(presented.hash, hook)
    return hook


def unknown() -> NotFound:
    """Nothing is taken at this address: misspelt, deleted and foreign ones are told the same."""
    return NotFound("webhook_not_found", "There is no webhook at this address.")


def _hook(platform: Platform, workspace_id: UUID, kept: store.Kept) -> Hook:
    try:
        secrets = platform.keyring.decrypt(kept.secrets, context=context(workspace_id, kept.id))
    except CredentialsError as error:
        logger.error("webhook %s can take nothing: %s", kept.id, error)
        raise Unavailable("webhook_unreadable", "This webhook cannot be used now; try again later.") from error
    return Hook(
        workspace_id=workspace_id,
        id=kept.id,
        workflow_id=kept.workflow_id,
        position=kept.position,
        enabled=kept.enabled,
        revision=kept.revision,
        workflow_name=kept.workflow_name,
        workflow_status=kept.workflow_status,
        version=kept.version,
        trigger=trigger_at(kept.definition, kept.position, digest=kept.digest),
        token=secrets["token"],
        secret=secrets["secret"],
        previous=secrets.get("previous"),
        previous_until=kept.previous_until,
    )
