"""The last part of a webhook's address, and the secrets its deliveries are signed with. Where they are kept is not
known here.

`wh_<workspace>_<random>`: the workspace stands in it for the reason it stands in an API key. Where deliveries are not
signed, who knows the token may deliver: it is looked up by its SHA-256 and never compared itself, and no log has it.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from app.security.api_keys import decode, encode

TOKEN_BYTES = 20
SECRET_BYTES = 32
PREFIX_OF_SECRETS = "whsec_"
HIDDEN = "wh_..."


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token that is well-formed, which says nothing about whether it leads anywhere."""

    workspace_id: UUID
    hash: str


def generate(workspace_id: UUID) -> str:
    """A new token of this workspace."""
    return f"wh_{encode(workspace_id.bytes)}_{encode(secrets.token_bytes(TOKEN_BYTES))}"


def read(token: str) -> ReadToken | None:
    """What a token of an address says; None when it cannot be one of ours."""
    parts = token.split("_")
    if len(parts) != 3 or parts[0] != "wh":
        return None
    try:
        workspace, random = decode(parts[1]), decode(parts[2])
    except ValueError:
        return None
    if len(workspace) != 16 or len(random) != TOKEN_BYTES:
        return None
    return ReadToken(UUID(bytes=workspace), digest(token))


def digest(token: str) -> str:
    """What a token is kept and found by."""
    return hashlib.sha256(token.encode()).hexdigest()


def generate_secret() -> str:
    """A new secret as Standard Webhooks write them: `whsec_` and base64."""
    return PREFIX_OF_SECRETS + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes | None:
    """The key in a secret of Standard Webhooks, with or without its prefix; None for what is no base64."""
    text = secret.removeprefix(PREFIX_OF_SECRETS).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key or None
