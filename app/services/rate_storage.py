"""Where the package `limits` keeps its sliding windows: in PostgreSQL, so that all processes share them.

One round trip a call. Keys are `<workspace>/<rest>`: the row is that workspace's. Which rates there are, and that not
every request asks, is `rate_limits`' subject.
"""

import random
from dataclasses import dataclass
from uuid import UUID

from limits.aio.storage import SlidingWindowCounterSupport, Storage
from psycopg.errors import ForeignKeyViolation

from app.db.engine import Database, Statement
from app.services.errors import Unavailable
from app.store import rate_windows as store

SWEEP_ONE_IN = 200
"""So rarely a call deletes what counts no more."""


@dataclass(frozen=True, slots=True)
class Window:
    """How the windows of a key stand: hits in the one before, the part of it that still counts, hits in this one."""

    before: int
    part: float
    present: int
    length: int

    def left(self, limit: int) -> int:
        """How many more the limit takes now."""
        return max(0, int(limit - self.present - self.before * self.part))

    @property
    def rest(self) -> float:
        """Seconds to the end of this window."""
        return self.part * self.length

    def wait(self, limit: int) -> float:
        """Seconds until the limit takes one more, if nobody else takes it; 0 where it does now."""
        if self.present + 1 + self.before * self.part <= limit:
            return 0.0
        if self.present + 1 <= limit:
            return (self.part - (limit - 1 - self.present) / self.before) * self.length
        return self.rest + (1 - (limit - 1) / self.present) * self.length


class OnlySlidingWindows(TypeError):
    """Another strategy of the package was put over this storage, or all workspaces were to be forgotten at once."""


class PostgresStorage(Storage, SlidingWindowCounterSupport):
    """The storage of `SlidingWindowCounterRateLimiter`. Raises `Unavailable` while the database is away."""

    STORAGE_SCHEME = ["holdfast+postgresql"]  # noqa: RUF012  (as the package declares it)

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self.seen: dict[str, Window] = {}
        """How the windows of each key stood after its last call; whoever called takes it out."""

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a call raises when it fails."""
        return Unavailable

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` if all of it is taken."""
        workspace_id, name = _parts(key)
        statements = [store.quickly(), store.add(workspace_id, name, amount=amount, limit=limit, length=expiry)]
        if random.randrange(SWEEP_ONE_IN) == 0:  # noqa: S311  (no secret)
            statements.append(store.sweep(workspace_id))
        hits, window = await self._window(workspace_id, expiry, *statements)
        self.seen[key] = window
        return hits is not None

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Hits and seconds left of the window before, and of the present one."""
        workspace_id, name = _parts(key)
        _, found = await self._window(
            workspace_id, expiry, store.quickly(), store.look(workspace_id, name, length=expiry)
        )
        return found.before, found.rest, found.present, found.rest + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget the key."""
        await self.clear(key)

    async def clear(self, key: str) -> None:
        """Forget the key."""
        workspace_id, name = _parts(key)
        await self._database.run(workspace_id, store.clear(workspace_id, name))

    async def check(self) -> bool:
        """Whether the database answers."""
        try:
            return await self._database.scalar("SELECT true") is True
        except Unavailable:
            return False

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Fixed windows are not kept."""
        raise OnlySlidingWindows

    async def get(self, key: str) -> int:
        """Fixed windows are not kept."""
        raise OnlySlidingWindows

    async def get_expiry(self, key: str) -> float:
        """Fixed windows are not kept."""
        raise OnlySlidingWindows

    async def reset(self) -> int | None:
        """Row-level security lets nobody forget all workspaces' at once."""
        raise OnlySlidingWindows

    async def _window(self, workspace_id: UUID, expiry: int, *statements: Statement) -> tuple[int | None, Window]:
        try:
            rows = await self._database.run(workspace_id, *statements)
        except ForeignKeyViolation as error:
            # Whoever asks is remembered a little longer than the workspace is there; what comes next says so.
            raise Unavailable("database_unavailable", "The workspace is gone.") from error
        ((hits, before, part, present),) = rows[1]
        return hits, Window(before, float(part), present if hits is None else hits, expiry)


def _parts(key: str) -> tuple[UUID, str]:
    """`LIMITS:LIMITER/<workspace>/<rest>`, as `limits` writes keys: workspace, and the whole."""
    return UUID(key.split("/", 2)[1]), key
