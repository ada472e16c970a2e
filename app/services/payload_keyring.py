"""The payload keys of a process: which key encrypts for a workspace, which one opens a payload, and whose run it is.

What was looked up is believed for less than a minute, so that a deleted key opens nothing in any process a minute
later; while the database is away, what a process knew is good for a quarter of an hour. Keys are plain in here alone.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakValueDictionary

from app.db.engine import Database
from app.security.credentials import CredentialsError, KeyRing
from app.services.errors import Conflict, Unavailable
from app.services.expiring import Expiring
from app.store import payload_keys as store
from app.store.sweeps import Sweeps
from app.temporal.codec import PayloadKey

FRESH_SECONDS = 45.0
"""How long what was looked up is believed."""
AWAY_SECONDS = 15 * 60.0
"""How long it serves while the database is away."""
RETRY_SECONDS = 5.0
"""The pause until a database that was away is asked again."""
MISSED_SECONDS = 1.0
"""How old what was looked up must be for a key that is not among it to be looked for."""
RUN_SECONDS = 3600.0


class PayloadKeyDeleted(Conflict):
    """A payload can never be read again: its key was deleted."""

    def __init__(self, key_id: UUID) -> None:
        detail = f"The payload key {key_id} was deleted, and with it all that was encrypted with it."
        super().__init__("payload_key_deleted", detail)


@dataclass(eq=False)
class _Held:
    """What is known of a workspace's keys: wrapped by id, None for one that was deleted; and which one encrypts."""

    wrapped: dict[UUID, str | None]
    active: UUID | None
    at: float
    ask_again_at: float
    opened: dict[UUID, PayloadKey] = field(default_factory=dict)


class PayloadKeyring:
    """`app.temporal.codec.Keys` over the table `payload_keys`. For use from one event loop."""

    def __init__(
        self,
        database: Database,
        sweeps: Sweeps,
        keyring: KeyRing,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`database` and `sweeps` raise `Unavailable` while they cannot be reached."""
        self._database = database
        self._sweeps = sweeps
        self._keyring = keyring
        self._clock = clock
        self._held: dict[UUID, _Held] = {}
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self.on_deleted: Callable[[UUID, UUID], None] | None = None
        """Told the workspace and the run that a payload of was to be read whose key was deleted."""
        self._workspaces: Expiring[UUID, UUID] = Expiring(seconds=RUN_SECONDS, size=20_000)

    async def sealing(self, workspace_id: UUID) -> PayloadKey | None:
        """The key that is active. Raises `Unavailable`."""
        held = await self._current(workspace_id, younger_than=FRESH_SECONDS)
        return None if held.active is None else self._opened(workspace_id, held, held.active)

    async def opening(self, workspace_id: UUID, key_id: UUID, run_id: UUID | None) -> PayloadKey:
        """Raises `PayloadKeyDeleted`, or `Unavailable` for a key that nobody knows: its row may come back."""
        held = await self._current(workspace_id, younger_than=FRESH_SECONDS)
        if key_id not in held.wrapped:
            held = await self._current(workspace_id, younger_than=MISSED_SECONDS)
        if key_id not in held.wrapped:
            raise Unavailable("payload_key_unreadable", f"There is no payload key {key_id} in this database.")
        if held.wrapped[key_id] is None:
            if run_id is not None and self.on_deleted is not None:
                self.on_deleted(workspace_id, run_id)
            raise PayloadKeyDeleted(key_id)
        if run_id is not None:
            self.learn(run_id, workspace_id)
        return self._opened(workspace_id, held, key_id)

    async def workspace_of(self, run_id: UUID) -> UUID | None:
        """Whose run it is. Raises `Unavailable`."""
        known = self._workspaces.get(run_id)
        if known is None:
            known = await self._sweeps.workspace_of_run(run_id)
            if known is not None:
                self.learn(run_id, known)
        return known

    def learn(self, run_id: UUID, workspace_id: UUID) -> None:
        """Remember whose run it is."""
        self._workspaces.put(run_id, workspace_id)

    def forget(self, workspace_id: UUID) -> None:
        """The workspace's keys were changed by this process: it looks them up anew."""
        self._held.pop(workspace_id, None)

    async def _current(self, workspace_id: UUID, *, younger_than: float) -> _Held:
        held = self._held.get(workspace_id)
        if held is not None and self._is_good(held, younger_than):
            return held
        lock = self._locks.setdefault(workspace_id, asyncio.Lock())
        async with lock:
            held = self._held.get(workspace_id)
            if held is not None and self._is_good(held, younger_than):
                return held
            return await self._looked_up(workspace_id, held)

    def _is_good(self, held: _Held, younger_than: float) -> bool:
        now = self._clock()
        return now - held.at < younger_than or now < held.ask_again_at

    async def _looked_up(self, workspace_id: UUID, before: _Held | None) -> _Held:
        asked_at = self._clock()
        try:
            (rows,) = await self._database.run(workspace_id, store.held(workspace_id))
        except Unavailable:
            if before is None or self._clock() - before.at >= AWAY_SECONDS:
                self._held.pop(workspace_id, None)
                raise
            before.ask_again_at = self._clock() + RETRY_SECONDS
            return before
        held = _Held(
            wrapped={id_: wrapped for id_, wrapped, _ in rows},
            active=next((id_ for id_, wrapped, active in rows if active and wrapped is not None), None),
            at=asked_at,
            ask_again_at=asked_at,
        )
        if before is not None:
            held.opened = {id_: key for id_, key in before.opened.items() if held.wrapped.get(id_) is not None}
        self._held[workspace_id] = held
        return held

    def _opened(self, workspace_id: UUID, held: _Held, key_id: UUID) -> PayloadKey:
        if key_id not in held.opened:
            try:
                plain = self._keyring.decrypt(held.wrapped[key_id] or "", context=wrapping(workspace_id, key_id))
            except CredentialsError as error:
                raise Unavailable("payload_key_unreadable", f"Payload key {key_id}: {error}.") from error
            held.opened[key_id] = PayloadKey(workspace_id, key_id, base64.b64decode(plain["secret"]))
        return held.opened[key_id]


def wrapping(workspace_id: UUID, key_id: UUID) -> str:
    """The context a key is wrapped in: copied into another row it opens nothing."""
    return f"payload_key:{workspace_id}:{key_id}"
