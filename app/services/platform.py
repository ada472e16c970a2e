"""What every use case needs to act: settings, database, Temporal and the key ring, opened once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from app.db.engine import Database
from app.security.credentials import KeyRing
from app.services.actors import Actor
from app.services.commits import Commits
from app.services.dispatches import Dispatches
from app.services.errors import Unavailable
from app.services.expiring import Expiring
from app.services.handing_over import HandingOver
from app.services.keeping_deliveries import Deliveries
from app.services.launches import Launches
from app.services.news import News
from app.services.payload_keyring import PayloadKeyring
from app.services.payload_storage import PayloadStorage
from app.services.published import Active
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from app.temporal.payloads import data_converter

if TYPE_CHECKING:
    from app.services.webhook_facts import Hook

KEY_CACHE_SECONDS = 5.0
ACTIVE_SECONDS = 300.0
HOOK_SECONDS = 5.0

Fields = tuple[tuple[str, ...], tuple[str, ...]]
"""In which fields the keys of subscriptions stand, and those of open waits."""


@dataclass(frozen=True, eq=False)
class Platform:
    """The open resources of one process."""

    settings: Settings
    database: Database
    temporal: TemporalConnection
    keyring: KeyRing
    commits: Commits
    launches: Launches
    dispatches: Dispatches
    news: News
    deliveries: Deliveries
    payload_keys: PayloadKeyring
    handing_over: HandingOver = field(default_factory=HandingOver)
    actors: Expiring[str, Actor] = field(default_factory=lambda: Expiring(seconds=KEY_CACHE_SECONDS, size=1000))
    """Whose key it was, by the key's hash. A revoked key works that many seconds longer in a process that knew it."""
    actives: Expiring[tuple[UUID, UUID], Active] = field(
        default_factory=lambda: Expiring(seconds=ACTIVE_SECONDS, size=500)
    )
    """Workflows runs were started of, by workspace and id. A start checks that they are still so."""
    listened: Expiring[tuple[UUID, str], Fields] = field(
        default_factory=lambda: Expiring(seconds=ACTIVE_SECONDS, size=1000)
    )
    """By what the latest event of a type found who wants it, by workspace and type. Each event finds out anew whether
    that is all."""
    hooks: "Expiring[str, Hook]" = field(default_factory=lambda: Expiring(seconds=HOOK_SECONDS, size=1000))
    """Webhooks that deliveries came to, by their tokens' hashes. What is taken is kept only while they are still so."""


@asynccontextmanager
async def open_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Open the database pool and a lazy Temporal connection; both connect on first use and reconnect by themselves.

    The one place where a database that cannot be reached becomes `Unavailable`: whatever uses `platform.database` gets
    that, and nothing below the services knows it.
    """
    database = Database(settings, on_failure=lambda detail: Unavailable("database_unavailable", detail))
    keyring = KeyRing(settings.encryption_keys)
    payload_keys = PayloadKeyring(database, keyring)
    encrypts = settings.payload_encryption == "on"
    converter = data_converter(PayloadStorage(database), payload_keys, encrypts=encrypts)
    temporal = TemporalConnection(settings, data_converter=converter)
    news = News(database)
    handing_over = HandingOver()
    try:
        yield Platform(
            settings=settings,
            database=database,
            temporal=temporal,
            keyring=keyring,
            commits=Commits(database),
            launches=Launches(database),
            dispatches=Dispatches(database),
            news=news,
            deliveries=Deliveries(database),
            payload_keys=payload_keys,
            handing_over=handing_over,
        )
    finally:
        await handing_over.close()
        await news.close()
        await database.close()
