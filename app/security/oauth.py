"""What OAuth 2 asks for that is made of chance and digests: PKCE, client authentication, tickets and states. No I/O.

A ticket or a state is `<kind>_<workspace>_<secret>`, both parts base32. The workspace stands in it, because row-level
security shows a row only to a transaction that names its workspace. Each is found by its SHA-256.
"""

import base64
import hashlib
import secrets
from typing import Literal
from urllib.parse import quote_plus
from uuid import UUID

Kind = Literal["ticket", "state"]

_SECRET_BYTES = 20


def generate(kind: Kind, workspace_id: UUID) -> str:
    """A new one for this workspace."""
    return f"{kind}_{_encode(workspace_id.bytes)}_{_encode(secrets.token_bytes(_SECRET_BYTES))}"


def workspace_of(kind: Kind, text: str) -> UUID | None:
    """The workspace it names, which says nothing about whether it is one of ours; None when it cannot be."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != kind or len(text) > 100:
        return None
    try:
        workspace, secret = _decode(parts[1]), _decode(parts[2])
    except ValueError:
        return None
    return UUID(bytes=workspace) if (len(workspace), len(secret)) == (16, _SECRET_BYTES) else None


def digest(text: str) -> str:
    """What is kept of a ticket, a state or a browser's secret to find it by."""
    return hashlib.sha256(text.encode()).hexdigest()


def browser_secret() -> str:
    """What one browser alone knows."""
    return secrets.token_urlsafe(32)


def verifier() -> str:
    """A code verifier (RFC 7636, 4.1): 43 of the characters it takes."""
    return secrets.token_urlsafe(32)


def challenge(verifier: str) -> str:
    """Its S256 code challenge (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def basic(client_id: str, client_secret: str) -> str:
    """The header that authenticates a client; both parts are form-encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _encode(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _decode(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
