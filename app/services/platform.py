"""What every use case needs to act: settings, database, Temporal and the key ring, opened once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.db.engine import Database
from app.security.credentials import KeyRing
from app.services.actors import Actor
from app.services.commits import Commits
from app.services.errors import Unavailable
from app.services.expiring import Expiring
from app.services.payload_storage import PayloadStorage
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from app.temporal.payloads import data_converter

KEY_CACHE_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Platform:
    """The open resources of one process."""

    settings: Settings
    database: Database
    temporal: TemporalConnection
    keyring: KeyRing
    commits: Commits
    actors: Expiring[str, Actor] = field(default_factory=lambda: Expiring(seconds=KEY_CACHE_SECONDS, size=1000))
    """Whose key it was, by the key's hash. A revoked key works that many seconds longer in a process that knew it."""


@asynccontextmanager
async def open_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Open the database pool and a lazy Temporal connection; both connect on first use and reconnect by themselves.

    The one place where a database that cannot be reached becomes `Unavailable`: whatever uses `platform.database` gets
    that, and nothing below the services knows it.
    """
    database = Database(settings, on_failure=lambda detail: Unavailable("database_unavailable", detail))
    temporal = TemporalConnection(settings, data_converter=data_converter(PayloadStorage(database)))
    try:
        yield Platform(settings, database, temporal, KeyRing(settings.encryption_keys), Commits(database))
    finally:
        await database.close()
