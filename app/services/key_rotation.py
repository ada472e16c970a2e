"""Rotation of encryption keys: everything the ring encrypts gets its newest key, in all workspaces, while others work.

A value says itself which key it has, so that there is no progress to keep: whoever dies half way is followed by another
pass that finds what is left. A value that somebody writes meanwhile is written with the writer's newest key and stays.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from app.json import JsonObject
from app.security.credentials import CredentialsError
from app.services import audit
from app.services.actors import NO_WORKSPACE
from app.services.platform import Platform
from app.store import sealed
from app.store.sealed import Sealed

BATCH = 100
"""Values of one transaction."""
WORKSPACES_AT_ONCE = 500


@dataclass(frozen=True)
class KeyUse:
    """A key, by its id, and how many values need it. `place` counts from 1, the newest; None is not in the ring.

    Values from before keys had ids name none: theirs is "".
    """

    id: str
    place: int | None
    values: int


@dataclass
class Rotation:
    """How far a rotation is. `unreadable` are values that no key of the ring opens, as `table.column of workspace`."""

    newest: str
    keys: list[KeyUse] = field(default_factory=list)
    renewed: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """Values that do not have the newest key."""
        return sum(key.values for key in self.keys if key.id != self.newest)

    def is_removable(self, key: KeyUse) -> bool:
        """Whether the ring can do without the key, as far as encrypted values go. Unnamed ones may need any."""
        unnamed = any(each.values for each in self.keys if not each.id)
        return key.place is not None and key.place > 1 and not key.values and not unnamed


async def rotate(platform: Platform, *, batch: int = BATCH) -> Rotation:
    """Give everything the newest key, and note it in the platform's audit log. Raises `NoEncryptionKey` and
    `Unavailable`; what was done by then stays done."""
    rotation = Rotation(platform.keyring.newest)
    async for workspace_id in _all_workspaces(platform):
        for column in sealed.SEALED:
            await _renew(platform, workspace_id, column, rotation, batch)
    rotation.keys = await _uses(platform)
    told: JsonObject = {"renewed": rotation.renewed, "left": rotation.left}
    newest = rotation.newest
    await audit.note_done(platform.database, NO_WORKSPACE, "encryption_key.rotate", newest, newest, after=told)
    return rotation


async def progress(platform: Platform) -> Rotation:
    """How far it is, without doing anything. Raises as `rotate`."""
    return Rotation(platform.keyring.newest, await _uses(platform))


async def _renew(platform: Platform, workspace_id: UUID, column: Sealed, rotation: Rotation, batch: int) -> None:
    after = None
    while True:
        renewed, unreadable = 0, 0
        async with platform.database.transaction(workspace_id) as session:
            found = await sealed.behind(session, workspace_id, column, rotation.newest, after=after, limit=batch)
            for place, ciphertext in found:
                try:
                    fresh = platform.keyring.renewed(ciphertext)
                except CredentialsError:
                    unreadable += 1
                    continue
                renewed += await sealed.replace(session, workspace_id, column, place, before=ciphertext, after=fresh)
        rotation.renewed += renewed
        if unreadable:
            rotation.unreadable[f"{sealed.name_of(column)} of workspace {workspace_id}"] += unreadable
        if len(found) < batch:
            return
        after = found[-1][0]


async def _uses(platform: Platform) -> list[KeyUse]:
    """The keys of the ring, newest first, then whatever else values name."""
    counted: Counter[str] = Counter(dict.fromkeys(platform.keyring.ids, 0))
    async for workspace_id in _all_workspaces(platform):
        async with platform.database.transaction(workspace_id) as session:
            for column in sealed.SEALED:
                counted.update(await sealed.by_key(session, workspace_id, column))
    places = {key_id: place for place, key_id in reversed(list(enumerate(platform.keyring.ids, start=1)))}
    return [KeyUse(key_id, places.get(key_id), number) for key_id, number in counted.items()]


async def _all_workspaces(platform: Platform) -> AsyncIterator[UUID]:
    after: UUID | None = None
    while some := await platform.sweeps.states_after(after, WORKSPACES_AT_ONCE):
        for workspace_id, _ in some:
            yield workspace_id
        after, _ = some[-1]
