"""How many requests are taken: of a key, of a workspace, at the doors that need no key, and with wrong keys.

The windows are shared by all processes (`rate_storage`). So that not every request asks the database, a process takes
some at once, a hundredth of the rate at most, and gives them out within seconds; what is refused is remembered until
the next one may be taken. Nothing is limited while the database is away: the request fails or not by itself.
"""

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from limits import RateLimitItem
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.db.engine import Database
from app.rates import parsed
from app.services.actors import NO_WORKSPACE, Actor
from app.services.errors import TooMany, Unavailable
from app.services.plan_table import Plan
from app.services.rate_storage import PostgresStorage, Window
from app.settings import Settings

CODE = "rate_limited"
SHARE = 100
"""The part of a rate that a process takes at once is the whole by this."""
LEASE_SECONDS = 2.0
AWAY_SECONDS = 1.0
MOST_REMEMBERED = 20_000
_OF_ONE_CUSTOMER = 64
"""Bits."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands after a request: `policy` is its name in headers, `quota` requests in `window` seconds, of
    which `remaining` are left until `reset` seconds are over. `retry_after` is 0 unless the request is refused."""

    policy: str
    quota: int
    window: int
    remaining: int
    reset: int
    retry_after: int = 0


class _Key(NamedTuple):
    rate: RateLimitItem
    policy: str
    workspace_id: UUID
    name: str


@dataclass(slots=True, eq=False)
class _Bucket:
    """What a process knows of one limit of one key."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lease: int = 0
    """Taken from the database and not given out."""
    until: float = 0.0
    """When that is worth nothing any more."""
    refused_until: float = 0.0
    window: Window | None = None
    at: float = 0.0
    """When the window was so."""


class RateLimits:
    """The limits of one process."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds from any start."""
        self._storage = PostgresStorage(database)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._clock = clock
        self._buckets: dict[_Key, _Bucket] = {}

    async def take(self, policy: str, rate: RateLimitItem, workspace_id: UUID, name: str) -> Standing | None:
        """Count a request of `name` (a key's id, an address), which is the workspace's to count. None while the
        database is away."""
        bucket = self._bucket(_Key(rate, policy, workspace_id, name))
        async with bucket.lock:
            now = self._clock()
            if bucket.refused_until > now:
                return _standing(policy, rate, bucket, now, refused=True)
            if bucket.lease <= 0 or bucket.until <= now:
                try:
                    taken = await self._lease(bucket, rate, str(workspace_id), policy, name)
                except Unavailable:
                    bucket.lease, bucket.until, bucket.window = rate.amount, now + AWAY_SECONDS, None
                    return None
                if not taken:
                    return _standing(policy, rate, bucket, self._clock(), refused=True)
            bucket.lease -= 1
            return _standing(policy, rate, bucket, self._clock(), refused=False)

    def refused(self, policy: str, rate: RateLimitItem, workspace_id: UUID, name: str) -> Standing | None:
        """How the limit stands where a request is known to be refused, without counting one."""
        bucket = self._buckets.get(_Key(rate, policy, workspace_id, name))
        now = self._clock()
        if bucket is None or bucket.refused_until <= now:
            return None
        return _standing(policy, rate, bucket, now, refused=True)

    async def _lease(self, bucket: _Bucket, rate: RateLimitItem, *names: str) -> bool:
        key = rate.key_for(*names)
        for amount in dict.fromkeys((max(1, rate.amount // SHARE), 1)):
            taken = await self._limiter.hit(rate, *names, cost=amount)
            window = self._storage.seen.pop(key)
            now = self._clock()
            bucket.window, bucket.at = window, now
            if taken:
                bucket.lease, bucket.until = amount, now + min(LEASE_SECONDS, rate.get_expiry() / 10)
                return True
        bucket.refused_until = now + window.wait(rate.amount)
        return False

    def _bucket(self, key: "_Key") -> _Bucket:
        bucket = self._buckets.pop(key, None) or _Bucket()
        self._buckets[key] = bucket
        if len(self._buckets) > MOST_REMEMBERED:
            oldest = next(iter(self._buckets))
            if not self._buckets[oldest].lock.locked():
                del self._buckets[oldest]
        return bucket


def _standing(policy: str, rate: RateLimitItem, bucket: _Bucket, now: float, *, refused: bool) -> Standing | None:
    window = bucket.window
    if window is None:
        return None
    left = 0 if refused else window.left(rate.amount) + bucket.lease
    return Standing(
        policy=policy,
        quota=rate.amount,
        window=rate.get_expiry(),
        remaining=left,
        reset=max(1, math.ceil(window.rest - (now - bucket.at))),
        retry_after=max(1, math.ceil(bucket.refused_until - now)) if refused else 0,
    )


def policies(settings: Settings, plan: Plan) -> Iterator[tuple[str, str, RateLimitItem]]:
    """The limits of a workspace's requests: name, how it is written, and what it says."""
    for policy, text in (
        ("key", settings.rate_limit_key),
        ("workspace", plan.rate_limit or settings.rate_limit_workspace),
    ):
        if text:
            yield policy, text, parsed(text)


async def of_actor(limits: RateLimits, settings: Settings, plan: Plan, actor: Actor) -> list[Standing]:
    """Count a request of somebody who is known."""
    who = str(actor.key_id) if actor.kind == "key" else f"person {actor.subject}"
    names = {"key": who, "workspace": "all"}
    return await _take_all(
        limits, [(policy, rate, actor.workspace_id, names[policy]) for policy, _, rate in policies(settings, plan)]
    )


async def at_door(
    limits: RateLimits, settings: Settings, address: str | None, workspace_id: UUID | None
) -> list[Standing]:
    """Count a request that needs no key, by the address it comes from and the workspace it says it is for. The rate of
    the workspace's plan is for who asks with a key: many who deliver never send again what was refused."""
    wanted: list[tuple[str, RateLimitItem, UUID, str]] = []
    if settings.rate_limit_address and address is not None:
        wanted.append(("address", parsed(settings.rate_limit_address), NO_WORKSPACE, _whose(address)))
    if settings.rate_limit_workspace and workspace_id is not None:
        # Nobody's row, as that of an address: it is no part of what the workspace sees of itself.
        wanted.append(("workspace", parsed(settings.rate_limit_workspace), NO_WORKSPACE, f"door {workspace_id}"))
    return await _take_all(limits, wanted)


async def wrong_key(limits: RateLimits, settings: Settings, address: str | None) -> Standing | None:
    """Count a key that is none. Answers how the limit stands."""
    if not settings.rate_limit_wrong_keys or address is None:
        return None
    return await limits.take("wrong-keys", parsed(settings.rate_limit_wrong_keys), NO_WORKSPACE, _whose(address))


def shut_out(limits: RateLimits, settings: Settings, address: str | None) -> Standing | None:
    """How the limit of wrong keys stands where the address has sent so many that it is asked for nothing more."""
    if not settings.rate_limit_wrong_keys or address is None:
        return None
    return limits.refused("wrong-keys", parsed(settings.rate_limit_wrong_keys), NO_WORKSPACE, _whose(address))


def _whose(address: str) -> str:
    """Under which name an address is counted: of IPv6 the network that one customer has, who can send from any of its
    addresses (RFC 6177)."""
    found = ipaddress.ip_address(address)
    return address if found.version == 4 else str(ipaddress.ip_network((found, _OF_ONE_CUSTOMER), strict=False))


def require(standings: Sequence[Standing]) -> None:
    """Raises `TooMany` (`rate_limited`) where one of them refuses."""
    for each in standings:
        if each.retry_after:
            raise TooMany(
                CODE,
                f"{each.quota:,} requests in {each.window:,} seconds are taken ({each.policy}): send the next one in "
                f"{each.retry_after} s.",
                retry_after=each.retry_after,
            )


async def _take_all(limits: RateLimits, wanted: Sequence[tuple[str, RateLimitItem, UUID, str]]) -> list[Standing]:
    """The first that refuses ends it: what is not taken is not counted for the others."""
    standings: list[Standing] = []
    for each in wanted:
        if (standing := await limits.take(*each)) is None:
            continue
        standings.append(standing)
        if standing.retry_after:
            break
    return standings
