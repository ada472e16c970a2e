"""JWT bearer tokens (RFC 7519, signed as RFC 7515): whether one is to be believed, and what it says.

Who asks what of a token stands here; where an issuer's keys come from is `issuer_keys`' business, and what a workspace
makes of the claims is `app.services.signing_in`'s. The algorithm is never the token's to choose: what kind of key is
configured allows some, and a key is only ever used for those of its own kind (RFC 8725, 3.1).
"""

import base64
import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import Key, OctKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from app.json import JsonObject

LONGEST_TOKEN = 8192
"""Characters. What identity providers issue stays well below; more is refused before it is read."""
LONGEST_SUBJECT = 255
"""Characters of `sub` (OpenID Connect Core, 2)."""
SECRET_ALGORITHMS = ("HS256",)
KEY_SET_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")

_TIMES = ("exp", "nbf", "iat")
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC).timestamp() - 86400
# The name that issuers still use; RFC 9864 only gave the same thing another one.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)


class TokenRefused(Exception):
    """The token is not to be believed. Why is for the log alone; whoever sent it is told nothing of it."""


class TokenExpired(TokenRefused):
    """It was to be believed: only its time is over."""


class Keys(Protocol):
    """Where the keys come from that tokens may be signed with."""

    async def find(self, algorithm: str, kid: str | None) -> Key | None:
        """The key of this id for this algorithm; None when there is none. May raise `KeysUnavailable`."""
        ...

    async def close(self) -> None:
        """Let go of what is under way."""
        ...


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens are taken, for whom, and by how many seconds clocks may differ."""

    issuer: str
    audience: str
    leeway: int
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is believed: whom it is about, until when, and all its claims."""

    subject: str
    expires_at: datetime
    claims: JsonObject


class SecretKey:
    """The one key of simple set-ups: a secret shared with whoever issues tokens."""

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(secret)

    async def find(self, algorithm: str, kid: str | None) -> Key | None:
        """The key, whatever the token calls it."""
        return self._key if algorithm in SECRET_ALGORITHMS else None

    async def close(self) -> None:
        """Holds nothing."""


class TokenReader:
    """Reads tokens by the rules of one installation."""

    def __init__(self, rules: TokenRules, keys: Keys, *, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        # Headers nobody knows are passed over, as RFC 7515 (4.) asks; those that must be understood are refused below.
        self._registry = JWSRegistry(algorithms=list(rules.algorithms), strict_check_header=False)
        self._claims = JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=rules.leeway,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._but_time = JWTClaimsRegistry(
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            sub={"essential": True},
        )

    async def read(self, text: str) -> Token:
        """What the token says. Raises `TokenRefused` (`TokenExpired`), or `KeysUnavailable` when no key is there to
        judge it by."""
        try:
            algorithm, kid = self._header(text)
            key = await self._keys.find(algorithm, kid)
            if key is None:
                raise TokenRefused("no key of its issuer fits it")
            claims = jwt.decode(text, key, registry=self._registry).claims
            self._validate(claims)
            return _token(claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefused(f"{type(error).__name__}: {error}") from None

    def _validate(self, claims: JsonObject) -> None:
        """Raises `JoseError`, or `TokenExpired`."""
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            self._but_time.validate({name: claim for name, claim in claims.items() if name not in _TIMES})
            raise TokenExpired("its time is over") from None

    async def close(self) -> None:
        """Let go of the keys' source."""
        await self._keys.close()

    def _header(self, text: str) -> tuple[str, str | None]:
        """Algorithm and key id of a token's head. Raises `TokenRefused` or `ValueError`."""
        if len(text) > LONGEST_TOKEN:
            raise TokenRefused("it is too long")
        head = text.partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        if not isinstance(header, dict) or "crit" in header or "b64" in header:
            raise TokenRefused("its header asks for what is not done here")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._rules.algorithms:
            raise TokenRefused("its algorithm is not taken")
        if kid is not None and not isinstance(kid, str):
            raise TokenRefused("its key id is no text")
        return algorithm, kid


def _token(claims: JsonObject) -> Token:
    subject = claims["sub"]
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable() or subject != subject.strip():
        raise TokenRefused("its subject cannot be kept")
    expires_at = math.floor(min(claims["exp"], _LAST_MOMENT))
    return Token(subject, datetime.fromtimestamp(expires_at, UTC), claims)


def looks_like_token(text: str) -> bool:
    """Whether it is written as a signed token is: three parts. Keys of ours have no dot."""
    return text.count(".") == 2
