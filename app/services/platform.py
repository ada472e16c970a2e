"""What every use case needs to act: settings, database, Temporal and the key ring, opened once a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from app.db.engine import Database
from app.observing.process import Observing
from app.security.credentials import KeyRing
from app.security.tokens import TokenReader
from app.services.actors import Actor
from app.services.commits import Commits
from app.services.dispatches import Dispatches
from app.services.errors import Unauthenticated, Unavailable
from app.services.expiring import Expiring
from app.services.handing_over import HandingOver
from app.services.keeping_deliveries import Deliveries
from app.services.known_hosts import KnownHosts
from app.services.launches import Launches
from app.services.news import News
from app.services.payload_keyring import PayloadKeyring
from app.services.payload_storage import PayloadStorage
from app.services.plan_table import Plan
from app.services.published import Active
from app.services.rate_limits import RateLimits
from app.services.tokens import token_reader
from app.services.turns import Turns
from app.settings import Settings
from app.store.sweeps import Sweeps
from app.temporal.connect import TemporalConnection
from app.temporal.payloads import data_converter

if TYPE_CHECKING:
    from app.services.webhook_facts import Hook

KEY_CACHE_SECONDS = 5.0
LET_IN_SECONDS = 3600.0
ACTIVE_SECONDS = 300.0
HOOK_SECONDS = 5.0
REFUSAL_SECONDS = 60.0
READING_SECONDS = 3600.0
PLAN_SECONDS = 10.0

Fields = tuple[tuple[str, ...], tuple[str, ...]]
"""In which fields the keys of subscriptions stand, and those of open waits."""


@dataclass(frozen=True, eq=False)
class Platform:
    """The open resources of one process."""

    settings: Settings
    database: Database
    sweeps: Sweeps
    """What crosses workspaces, as the platform's own role."""
    temporal: TemporalConnection
    keyring: KeyRing
    commits: Commits
    launches: Launches
    dispatches: Dispatches
    news: News
    deliveries: Deliveries
    rate_limits: RateLimits
    payload_keys: PayloadKeyring
    handing_over: HandingOver = field(default_factory=HandingOver)
    known_hosts: KnownHosts = field(default_factory=KnownHosts)
    turns: Turns = field(default_factory=Turns)
    plans: Expiring[UUID, Plan] = field(default_factory=lambda: Expiring(seconds=PLAN_SECONDS, size=1000))
    """What workspaces are allowed, for what may be wrong for a moment: rates. All else is read where it is held."""
    actors: Expiring[str, Actor] = field(default_factory=lambda: Expiring(seconds=KEY_CACHE_SECONDS, size=1000))
    """Whose key or token it was, by its hash. What another process revoked works that many seconds longer here."""
    refused: Expiring[str, type[Unauthenticated]] = field(
        default_factory=lambda: Expiring(seconds=KEY_CACHE_SECONDS, size=1000)
    )
    """Keys nobody has, or that have lapsed, and tokens that have, by their hashes: the same again costs no query and no
    look at a signature. They take no known one's place."""
    let_in: Expiring[str, bool] = field(default_factory=lambda: Expiring(seconds=LET_IN_SECONDS, size=10_000))
    """Keys and tokens that were right lately, by their hashes. That they still are is not said: they are looked at when
    others from the same address have sent too many wrong ones."""
    tokens: TokenReader | None = None
    """Reads bearer tokens; None where none are taken."""
    standings: Expiring[UUID, str] = field(default_factory=lambda: Expiring(seconds=KEY_CACHE_SECONDS, size=10_000))
    """The states of workspaces; empty for one that is gone."""
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
    doors: Expiring[str, UUID] = field(default_factory=lambda: Expiring(seconds=HOOK_SECONDS, size=1000))
    """The workspaces of addresses that something came in at, by their tokens' hashes: whose rate counts it."""
    refusals: Expiring[tuple[UUID, str, str], bool] = field(
        default_factory=lambda: Expiring(seconds=REFUSAL_SECONDS, size=10_000)
    )
    """Who was refused which permission lately, so that the audit log has it once in this time."""
    readings: Expiring[tuple[UUID, str], bool] = field(
        default_factory=lambda: Expiring(seconds=READING_SECONDS, size=10_000)
    )
    """Who read payloads lately: a page of Temporal's UI asks for them many times."""
    observing: Observing = field(default_factory=Observing)
    """What the process counts, and the traces it sends."""


@asynccontextmanager
async def open_platform(settings: Settings, observing: Observing | None = None) -> AsyncIterator[Platform]:
    """Open the database pool and a lazy Temporal connection; both connect on first use and reconnect by themselves.

    The one place where a database that cannot be reached becomes `Unavailable`: whatever uses `platform.database` gets
    that, and nothing below the services knows it.
    """
    database = Database(settings, on_failure=lambda detail: Unavailable("database_unavailable", detail))
    sweeps = Sweeps.open(settings, lambda detail: Unavailable("database_unavailable", detail))
    observing = observing or Observing()
    observing.metrics.watch_pools(database.usage)
    observing.metrics.watch_pools(sweeps.usage)
    keyring = KeyRing(settings.encryption_keys)
    payload_keys = PayloadKeyring(database, sweeps, keyring)
    storage = PayloadStorage(database, sweeps)
    news = News(database)
    handing_over = HandingOver()
    tokens = token_reader(settings)
    try:
        yield Platform(
            settings=settings,
            database=database,
            sweeps=sweeps,
            temporal=_temporal(settings, storage, payload_keys, observing),
            keyring=keyring,
            commits=Commits(database),
            launches=Launches(database),
            dispatches=Dispatches(database),
            news=news,
            deliveries=Deliveries(database),
            rate_limits=RateLimits(database),
            payload_keys=payload_keys,
            handing_over=handing_over,
            tokens=tokens,
            observing=observing,
        )
    finally:
        if tokens is not None:
            await tokens.close()
        await handing_over.close()
        await news.close()
        await sweeps.close()
        await database.close()


def _temporal(
    settings: Settings, storage: PayloadStorage, keys: PayloadKeyring, observing: Observing
) -> TemporalConnection:
    return TemporalConnection(
        settings,
        data_converter=data_converter(storage, keys, encrypts=settings.payload_encryption == "on"),
        runtime=observing.runtime,
        interceptors=() if observing.traces is None else (observing.traces.interceptor,),
    )
