"""The text of an API key: how it is made, read and compared. Where keys are kept is not known here.

`hf_<workspace>_<secret>`: the workspace stands in the key, because row-level security shows a key's row only to a
transaction that names its workspace. Only the SHA-256 of the whole key is stored; 160 random bits need no slow hash.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

SECRET_BYTES = 20
PREFIX_LENGTH = 6


@dataclass(frozen=True, slots=True)
class ReadKey:
    """A key that is well-formed, which says nothing about whether it is a key.

    `prefix` is the part people may see, to tell keys apart; `hash` is the SHA-256 of the key in hexadecimal.
    """

    workspace_id: UUID
    prefix: str
    hash: str


def generate(workspace_id: UUID) -> str:
    """A new key of this workspace."""
    return f"hf_{encode(workspace_id.bytes)}_{encode(secrets.token_bytes(SECRET_BYTES))}"


def read(key: str) -> ReadKey | None:
    """What a presented key says; None when it cannot be a key of ours."""
    parts = key.split("_")
    if len(parts) != 3 or parts[0] != "hf":
        return None
    try:
        workspace, secret = decode(parts[1]), decode(parts[2])
    except ValueError:
        return None
    if len(workspace) != 16 or len(secret) != SECRET_BYTES:
        return None
    return ReadKey(UUID(bytes=workspace), parts[2][:PREFIX_LENGTH], hashlib.sha256(key.encode()).hexdigest())


def matches(presented: ReadKey, stored_hash: str) -> bool:
    """Compare in constant time, so that the time taken tells nothing about the stored hash."""
    return hmac.compare_digest(presented.hash, stored_hash)


def beginning(workspace_id: UUID, prefix: str) -> str:
    """What a key begins with, as far as people may see it."""
    return f"hf_{encode(workspace_id.bytes)}_{prefix}"


def encode(data: bytes) -> str:
    """Bytes as they stand in a key: base32, small letters, no padding."""
    return base64.b32encode(data).decode().rstrip("=").lower()


def decode(text: str) -> bytes:
    """Back again. Raises `ValueError`."""
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
