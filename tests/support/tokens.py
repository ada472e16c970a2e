"""An issuer of tokens for tests: keys of each kind, tokens signed with them, and a JWK Set to serve."""

import base64
import json
import time
import warnings
from collections.abc import Mapping
from typing import Any

from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.json import Json, JsonObject

warnings.filterwarnings("ignore", category=SecurityWarning)

ISSUER = "https://id.example.com/"
AUDIENCE = "holdfast"
SECRET = "a shared secret of more than thirty-two bytes"

KEYS: dict[str, Key] = {
    "rsa": RSAKey.generate_key(2048),
    "rsa-2": RSAKey.generate_key(2048),
    "ec": ECKey.generate_key("P-256"),
    "okp": OKPKey.generate_key("Ed25519"),
    "secret": OctKey.import_key(SECRET),
}
ALGORITHMS = {"rsa": "RS256", "rsa-2": "RS256", "ec": "ES256", "okp": "EdDSA", "secret": "HS256"}


def claims(**changes: Json) -> JsonObject:
    """What a good token says; None leaves a claim out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in said.items() if value is not None}


def token(name: str = "secret", said: JsonObject | None = None, *, key: Key | None = None, **header: Any) -> str:
    """A token signed with the key of this name, or with another; `header` is added to its head."""
    head = {"alg": ALGORITHMS[name], "typ": "JWT", "kid": name, **header}
    head = {member: value for member, value in head.items() if value is not None}
    # Signed by hand: the library makes none that it would not take.
    sealed = f"{part(head)}.{part(claims() if said is None else said)}"
    signature = JWSRegistry.algorithms[head["alg"]].sign(sealed.encode(), key or KEYS[name])
    return f"{sealed}.{coded(signature)}"


def part(value: Json) -> str:
    """A part of a token."""
    return coded(json.dumps(value).encode())


def coded(data: bytes) -> str:
    """Bytes as they stand in a token."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def key_set(*names: str, **more: Json) -> JsonObject:
    """A JWK Set of the public halves; `more` is added to each."""
    return {"keys": [public(name) | more for name in names]}


def public(name: str) -> dict[str, Any]:
    """The public half of a key, as it stands in a set."""
    found: Mapping[str, Any] = KEYS[name].as_dict(private=False)
    return {**found, "kid": name}
