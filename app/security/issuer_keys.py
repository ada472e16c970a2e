"""The public keys of an issuer of tokens (JWK Set, RFC 7517): fetched, kept, and fetched again when they change.

Judges no token. Tokens name their key; one whose name is not known has the set fetched again, since issuers rotate,
but not more often than every `PAUSE_SECONDS`, however many such tokens come. Whoever asks meanwhile waits for the same
answer. An issuer that is away changes nothing for as long as what it said last may be believed.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from app.json import Json, JsonObject
from app.security.fetching import FetchFailed

FRESH_SECONDS = 600.0
"""How long a set is used before it is asked for again, while it goes on being used."""
STALE_SECONDS = 86_400.0
"""How long a set is believed when the issuer cannot be asked."""
PAUSE_SECONDS = 10.0
"""The shortest time from one request to the issuer to the next, whatever became of the first."""
MOST_KEYS = 100
SMALLEST_RSA, LARGEST_RSA = 2048, 8192
"""Bits: less is not safe (NIST SP 800-131A), more takes too long to compute with."""

_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_ALGORITHMS = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA", "Ed25519")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}

logger = logging.getLogger(__name__)


class KeysUnavailable(Exception):
    """The issuer's keys are not known and cannot be had now."""


@dataclass(frozen=True, slots=True)
class _Usable:
    kid: str | None
    algorithms: tuple[str, ...]
    key: Key


class IssuerKeys:
    """The keys of one issuer. For use from one event loop."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`fetch` gives the set as it is served, or raises `FetchFailed`."""
        self._fetch = fetch
        self._clock = clock
        self._keys: list[_Usable] = []
        self._known_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, kid: str | None) -> Key | None:
        """The key a token names, if the issuer has it for this algorithm. Raises `KeysUnavailable`.

        A token that names no key is taken to mean the only one there is.
        """
        if self._age() > STALE_SECONDS:
            await self._ask()
            if self._age() > STALE_SECONDS:
                raise KeysUnavailable
        elif self._age() > FRESH_SECONDS:
            self._begin()
        found = self._known(algorithm, kid)
        if found is None:
            await self._ask()
            found = self._known(algorithm, kid)
        return found

    async def close(self) -> None:
        """Give up a request under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _age(self) -> float:
        return self._clock() - self._known_at

    def _known(self, algorithm: str, kid: str | None) -> Key | None:
        fitting = [each.key for each in self._keys if algorithm in each.algorithms and kid in (None, each.kid)]
        if kid is None and len(fitting) != 1:
            return None
        return fitting[0] if fitting else None

    async def _ask(self) -> None:
        """Wait for what the issuer says now, unless it was asked a moment ago."""
        if (asking := self._begin()) is not None:
            # One that stops waiting does not take the answer from the others.
            await asyncio.shield(asking)

    def _begin(self) -> asyncio.Task[None] | None:
        if self._asking is None or self._asking.done():
            if self._clock() - self._asked_at < PAUSE_SECONDS:
                return None
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._refresh())
        return self._asking

    async def _refresh(self) -> None:
        try:
            self._keys = _read(await self._fetch())
        except (FetchFailed, ValueError, RecursionError) as error:
            logger.warning("the keys of the tokens' issuer could not be fetched: %s", error)
        else:
            self._known_at = self._clock()


def _read(body: bytes) -> list[_Usable]:
    """The keys of a set that tokens can be judged by; others are passed over (RFC 7517, 5.). Raises `ValueError`."""
    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError(f"what came is no JWK Set of at most {MOST_KEYS} keys")
    usable = [found for each in listed if (found := _usable(each)) is not None]
    if not usable:
        logger.warning("the tokens' issuer has no key that can be used: RSA of 2048 bits, P-256 and Ed25519 can")
    return usable


def _usable(given: Json) -> _Usable | None:
    """The key, public part alone, if it signs by an algorithm that is taken."""
    if not isinstance(given, dict) or given.get("use", "sig") != "sig":
        return None
    kind, operations = given.get("kty"), given.get("key_ops", ["verify"])
    if not isinstance(kind, str) or kind not in _MEMBERS:
        return None
    if kind in _CURVES and given.get("crv") != _CURVES[kind]:
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithms = _algorithms(kind, given.get("alg"))
    key = _imported(kind, {"kty": kind, **{name: given.get(name) for name in _MEMBERS[kind]}}) if algorithms else None
    return None if key is None else _Usable(given.get("kid"), algorithms, key)


def _algorithms(kind: str, named: Json) -> tuple[str, ...]:
    """Those of the kind, narrowed to the one the key is for; `EdDSA` and `Ed25519` are the same (RFC 9864)."""
    own = _ALGORITHMS[kind]
    if named is None or (kind == "OKP" and named in own):
        return own
    return (named,) if named in own else ()


def _imported(kind: str, members: JsonObject) -> Key | None:
    try:
        if kind == "RSA":
            key = RSAKey.import_key(members)
            return key if SMALLEST_RSA <= key.public_key.key_size <= LARGEST_RSA else None
        return ECKey.import_key(members) if kind == "EC" else OKPKey.import_key(members)
    except (JoseError, ValueError, TypeError) as error:
        logger.warning("a key of the tokens' issuer cannot be read: %s", error)
        return None
