"""Mailboxes: which ones are due, up to where each is taken, and when it is looked into again. Who speaks with the mail
server is not known here.

A mail's event is named by its Message-ID and is committed before the place in the mailbox is: whatever dies in between,
the mail is read once more and does nothing more.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import ValidationError

from app.catalog.messaging_connections import ImapConfig, ImapCredentials
from app.db.models import Mailbox
from app.inbound.mail import Mail
from app.services import connections, incoming
from app.services.connections import ResolvedConnection
from app.services.errors import Conflict, Invalid, TooLarge
from app.services.platform import Platform
from app.store import messages as store

_log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""Longer than one look takes: nobody else looks into the mailbox meanwhile."""
LONGEST_PAUSE = timedelta(minutes=15)
"""Between two looks into a mailbox that cannot be looked into."""
OVERLAP = timedelta(minutes=10)
"""A mailbox whose numbering began anew is read from this long before the last look: what is read twice counts once."""
ENVELOPE_BYTES = 4096
"""Room for what an event says besides its data."""


@dataclass(frozen=True)
class Place:
    """Up to where a mailbox is taken, and tidied, in the numbering that is called `uid_validity`."""

    uid_validity: int
    taken: int
    tidied: int


@dataclass(frozen=True)
class Due:
    """A mailbox to look into."""

    box: Mailbox
    connection: ResolvedConnection
    config: ImapConfig
    credentials: ImapCredentials

    @property
    def place(self) -> Place | None:
        """Where the last look ended; None before the first."""
        box = self.box
        if box.uid_validity is None or box.taken_uid is None:
            return None
        return Place(box.uid_validity, box.taken_uid, box.tidied_uid or 0)

    @property
    def since(self) -> datetime:
        """Where `place` does not help: mails that came since then are to be taken."""
        return self.box.since if self.box.polled_at is None else max(self.box.since, self.box.polled_at - OVERLAP)


async def claim(platform: Platform, workspace_id: UUID, limit: int) -> list[Due]:
    """Mailboxes that are due, for this process alone. One whose credentials cannot be read is told of and left out."""
    async with platform.database.transaction(workspace_id) as session:
        claimed = await store.claim_due(session, workspace_id, limit=limit, lease=LEASE)
    due: list[Due] = []
    for box, row in claimed:
        try:
            connection = connections.opened(platform, row)
            config = ImapConfig.model_validate(connection.config)
            credentials = ImapCredentials.model_validate(connection.credentials)
        except Conflict as error:
            await _failed(platform, box, row.name, LONGEST_PAUSE, error.detail)
        except ValidationError as error:
            told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors(include_input=False))
            await _failed(platform, box, row.name, LONGEST_PAUSE, f"the connection is not usable: {told}")
        else:
            due.append(Due(box, connection, config, credentials))
    return due


async def take(platform: Platform, due: Due, mail: Mail, before: Place, place: Place) -> bool:
    """Make an event of the next mail, then note the place behind it; False when another process has been there."""
    message = mail.message(platform.settings.max_event_bytes - ENVELOPE_BYTES)
    try:
        await incoming.take(platform, due.box.workspace_id, due.connection.name, [message])
    except (TooLarge, Invalid) as refusal:
        # Read again it would be the same, and nothing behind it would ever be taken.
        _log.error("a mail of %s is no event: %s", due.connection.name, refusal.detail)
    return await keep(platform, due, before, place)


async def keep(platform: Platform, due: Due, before: Place | None, place: Place) -> bool:
    """Note the place, unless the mailbox is no longer at the one before."""
    async with platform.database.transaction(due.box.workspace_id) as session:
        return await store.keep_place(
            session,
            due.box,
            uid_validity=place.uid_validity,
            taken=place.taken,
            tidied=place.tidied,
            before=None if before is None else before.taken,
        )


async def looked_into(platform: Platform, due: Due, *, more: bool) -> None:
    """The mailbox is due again when its interval is over; at once if more is there."""
    async with platform.database.transaction(due.box.workspace_id) as session:
        again_in = timedelta() if more else due.config.interval
        await store.looked_into(session, due.box, again_in=again_in, to_its_end=not more)
    await connections.note_use(platform, due.box.workspace_id, due.connection.name, error=None)


async def failed(platform: Platform, due: Due, error: str) -> None:
    """The mailbox is due again later and later while it cannot be looked into; its connection says why."""
    await _failed(platform, due.box, due.connection.name, due.config.interval, error)


async def hand_back(platform: Platform, due: Due) -> None:
    """There was no time for the mailbox: whoever comes next looks into it."""
    async with platform.database.transaction(due.box.workspace_id) as session:
        await store.not_looked_into(session, due.box, again_in=timedelta(), failed=False)


async def _failed(platform: Platform, box: Mailbox, name: str, interval: timedelta, error: str) -> None:
    again_in = max(interval, min(interval * 2 ** min(box.failures, 10), LONGEST_PAUSE))
    async with platform.database.transaction(box.workspace_id) as session:
        await store.not_looked_into(session, box, again_in=again_in, failed=True)
    await connections.note_use(platform, box.workspace_id, name, error=error)
