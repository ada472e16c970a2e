"""Signatures over what leaves this installation and comes back. Knows nothing of what is signed.

HMAC-SHA256 with a key derived from the key ring (HKDF, RFC 5869), another one for each purpose, so that no signature
stands for anything else and none says anything about the keys that credentials are encrypted with. The newest key
signs; what any key of the ring has signed is accepted, so that links outlive a rotation.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from app.security.credentials import NoEncryptionKey

SIZE = 32
"""Bytes of a signature."""


class Signer:
    """Signs for one purpose."""

    def __init__(self, keys: Sequence[SecretStr], purpose: str) -> None:
        """`keys` are the key ring, newest first."""
        self._keys = [_derived(key, purpose) for key in keys]

    def __bool__(self) -> bool:
        """Whether there is a key to sign with."""
        return bool(self._keys)

    def sign(self, data: bytes) -> bytes:
        """The signature. Raises `NoEncryptionKey`."""
        if not self._keys:
            raise NoEncryptionKey
        return _signature(self._keys[0], data)

    def is_signed(self, data: bytes, signature: bytes, *, size: int = SIZE) -> bool:
        """Whether a key of the ring has signed this; `size` is how many bytes of a signature were kept. Takes the same
        time whatever the signature is."""
        found = [hmac.compare_digest(_signature(key, data)[:size], signature) for key in self._keys]
        return any(found)


def _derived(key: SecretStr, purpose: str) -> bytes:
    secret = base64.urlsafe_b64decode(key.get_secret_value())
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"holdfast {purpose}".encode()).derive(secret)


def _signature(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
