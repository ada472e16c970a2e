"""The tokens in the addresses that messages come in at. No framework and no database: text in, text out.

`msg_<workspace>_<secret>`, both parts base32. The workspace stands in it, because row-level security shows an address's
row only to a transaction that names its workspace. It is found by its SHA-256; 160 random bits need no slow hash.
"""

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

SECRET_BYTES = 20


def generate(workspace_id: UUID) -> str:
    """A new token for this workspace."""
    return f"msg_{_encode(workspace_id.bytes)}_{_encode(secrets.token_bytes(SECRET_BYTES))}"


def workspace_of(token: str) -> UUID | None:
    """The workspace a token names, which says nothing about whether it is one of ours; None when it cannot be."""
    parts = token.split("_")
    if len(parts) != 3 or parts[0] != "msg" or len(token) > 100:
        return None
    try:
        workspace, secret = _decode(parts[1]), _decode(parts[2])
    except ValueError:
        return None
    return UUID(bytes=workspace) if (len(workspace), len(secret)) == (16, SECRET_BYTES) else None


def digest(token: str) -> str:
    """What is kept of a token to find it by."""
    return hashlib.sha256(token.encode()).hexdigest()


def verify_token(token: str) -> str:
    """What Meta is to send along when it verifies the address: made from the token, which it does not give away."""
    return hmac.new(token.encode(), b"verify token", hashlib.sha256).hexdigest()[:40]


def _encode(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _decode(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
