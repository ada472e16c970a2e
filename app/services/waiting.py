"""Which open waits an event has to be held against: those whose key it has, and those without one.

Thousands of runs may wait for one type, each for an event of its own. Whether an event does match is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Wait
from app.definition.event_keys import EventKey, digest_in
from app.json import JsonObject
from app.store import waits


@dataclass(frozen=True)
class Waiting:
    """The open waits that some events of a type may end."""

    fields: Sequence[str]
    keyless: Sequence[Wait]
    keyed: Mapping[EventKey, Sequence[Wait]]

    def may_take(self, envelope: JsonObject) -> list[Wait]:
        """Those among which are all that match one of these events, in the order of runs and paths."""
        found = [wait for key in keys_of(self.fields, envelope) for wait in self.keyed.get(key, ())]
        if not found:
            return list(self.keyless)
        return sorted([*self.keyless, *found], key=lambda wait: (wait.run_id, wait.path))


async def waiting_for(
    session: AsyncSession, workspace_id: UUID, event_type: str, envelopes: Sequence[JsonObject], received_at: datetime
) -> Waiting:
    """The open waits that these events of one type, received then at the latest, may end."""
    fields = await waits.key_fields_for(session, workspace_id, event_type)
    digests = list({key.digest for envelope in envelopes for key in keys_of(fields, envelope)})
    keyless: list[Wait] = []
    keyed: dict[EventKey, list[Wait]] = {}
    found = await waits.open_for(session, workspace_id, event_type, received_at, fields=fields, digests=digests)
    for wait in found:
        if wait.key_fields is None or wait.key_digest is None:
            keyless.append(wait)
        else:
            keyed.setdefault(EventKey(wait.key_fields, wait.key_digest), []).append(wait)
    return Waiting(fields, keyless, keyed)


def keys_of(fields: Sequence[str], envelope: JsonObject) -> list[EventKey]:
    """The keys the event has, of waits whose keys stand in these fields."""
    digests = ((each, digest_in(each, envelope)) for each in fields)
    return [EventKey(each, digest) for each, digest in digests if digest is not None]
