"""What every use case needs to act: settings, database, Temporal and the key ring, opened once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.db.engine import Database
from app.security.credentials import KeyRing
from app.settings import Settings
from app.temporal.connect import TemporalConnection


@dataclass(frozen=True)
class Platform:
    """The open resources of one process."""

    settings: Settings
    database: Database
    temporal: TemporalConnection
    keyring: KeyRing


@asynccontextmanager
async def open_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Open the database pool and a lazy Temporal connection; both connect on first use and reconnect by themselves."""
    database = Database(settings)
    try:
        yield Platform(settings, database, TemporalConnection(settings), KeyRing(settings.encryption_keys))
    finally:
        await database.close()
