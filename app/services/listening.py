"""Who may want an event: the subscriptions and open waits whose key it has, and those without one.

Thousands may listen to one type, each for an event of its own. Whether an event does fit is not known here. In which
fields keys stand is remembered from the event before, so that one look is enough nearly always.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.db.engine import Statement
from app.definition.event_keys import EventKey, digest_in
from app.json import JsonObject
from app.services.platform import Fields, Platform
from app.store import listening as store
from app.store.listening import Heard, OpenWait

SINCE_TOLERANCE = timedelta(seconds=45)
"""An event may be received this long before a wait's `since` and still end it: it was being committed meanwhile. Longer
than a statement may take, since `received_at` is from before the event's transaction was committed."""

C = TypeVar("C", Heard, OpenWait)
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Candidates(Generic[C]):
    """What listens to a type of event, as far as some events of it may concern it: those of another source too, where
    they were looked for together."""

    fields: Sequence[str]
    keyless: Sequence[C]
    keyed: Mapping[EventKey, Sequence[C]]

    @classmethod
    def among(cls, fields: Sequence[str], found: Iterable[C]) -> "Candidates[C]":
        """Those that were found, with the fields in which keys stand."""
        keyless: list[C] = []
        keyed: dict[EventKey, list[C]] = {}
        for one in found:
            if one.key is None:
                keyless.append(one)
            else:
                keyed.setdefault(one.key, []).append(one)
        return cls(fields, keyless, keyed)

    def of(self, envelope: JsonObject) -> list[C]:
        """Those among which are all that fit one of these events, in their order."""
        found: list[C] = [one for key in _keys_of(self.fields, envelope) for one in self.keyed.get(key, ())]
        every = list(self.keyless)
        every.extend(found)
        return sorted(every, key=lambda one: one.place) if found else every


@dataclass(frozen=True)
class Listening:
    """Who may want events of one type."""

    subscriptions: Candidates[Heard]
    waits: Candidates[OpenWait]


class Look:
    """The question who may want these events, as statements of one round trip, and the answer. `received_at`: when the
    last one was received, where that is not now."""

    def __init__(
        self,
        platform: Platform,
        workspace_id: UUID,
        envelopes: Iterable[JsonObject],
        received_at: datetime | None = None,
    ) -> None:
        self._platform = platform
        self._workspace_id = workspace_id
        self._received_at = received_at
        self._of_type: dict[str, list[JsonObject]] = {}
        for envelope in envelopes:
            self._of_type.setdefault(envelope["type"], []).append(envelope)
        # As they are asked by: what is remembered may be more by the time of the answer.
        remembered = ((type_, platform.listened.get((workspace_id, type_))) for type_ in self._of_type)
        self._asked: dict[str, Fields] = {type_: fields or ((), ()) for type_, fields in remembered}

    def statements(self) -> list[Statement]:
        """Two for each type of event."""
        return [each for type_ in self._of_type for each in self._about(type_, self._asked[type_])]

    async def read(self, rows: Sequence[Rows]) -> dict[str, Listening]:
        """What the statements gave, by the type of event; asks once more about keys that nobody had thought of."""
        found: dict[str, Listening] = {}
        unasked: dict[str, Fields] = {}
        for type_, pair in zip(self._of_type, zip(rows[::2], rows[1::2], strict=True), strict=True):
            asked = self._asked[type_]
            found[type_], fields = _read(*pair)
            if not all(set(now) <= set(then) for now, then in zip(fields, asked, strict=True)):
                unasked[type_] = fields
            if fields != asked:
                self._platform.listened.put((self._workspace_id, type_), fields)
        if unasked:
            statements = [each for type_, fields in unasked.items() for each in self._about(type_, fields)]
            again = await self._platform.database.run(self._workspace_id, *statements)
            for type_, pair in zip(unasked, zip(again[::2], again[1::2], strict=True), strict=True):
                found[type_], _ = _read(*pair)
        return found

    def _about(self, type_: str, fields: Fields) -> tuple[Statement, Statement]:
        envelopes = self._of_type[type_]
        of_subscriptions, of_waits = fields
        return (
            store.subscriptions(
                self._workspace_id,
                type_,
                {envelope["source"] for envelope in envelopes},
                digests=_digests(of_subscriptions, envelopes),
            ),
            store.waits(
                self._workspace_id,
                type_,
                self._received_at,
                SINCE_TOLERANCE,
                fields=of_waits,
                digests=_digests(of_waits, envelopes),
            ),
        )


async def look(
    platform: Platform, workspace_id: UUID, envelopes: Iterable[JsonObject], received_at: datetime | None = None
) -> dict[str, Listening]:
    """Who may want these events, by their type."""
    question = Look(platform, workspace_id, envelopes, received_at)
    return await question.read(await platform.database.run(workspace_id, *question.statements()))


def _read(subscriptions: Rows, waits: Rows) -> tuple[Listening, Fields]:
    of_subscriptions, heard = store.read_subscriptions(subscriptions)
    of_waits, open_ = store.read_waits(waits)
    fields = (tuple(sorted(of_subscriptions)), tuple(sorted(of_waits)))
    return Listening(Candidates.among(fields[0], heard), Candidates.among(fields[1], open_)), fields


def _digests(fields: Sequence[str], envelopes: Sequence[JsonObject]) -> list[int]:
    return list({key.digest for envelope in envelopes for key in _keys_of(fields, envelope)})


def _keys_of(fields: Sequence[str], envelope: JsonObject) -> list[EventKey]:
    """The keys the event has, of those that stand in these fields."""
    digests = ((each, digest_in(each, envelope)) for each in fields)
    return [EventKey(each, digest) for each, digest in digests if digest is not None]
