"""Encryption of credentials at rest with a key ring. Knows no connection and no provider.

Fernet (AES-128-CBC with HMAC-SHA256) from `cryptography`. The newest key encrypts, every key of the ring decrypts, so a
key is rotated by putting a new one in front. What is encrypted carries the context it belongs to: a ciphertext copied
into another row or another workspace is refused.
"""

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from app.json import JsonObject
from app.observing.context import hide


class CredentialsError(Exception):
    """Credentials cannot be encrypted or read. The message never holds a part of them or of a key."""


class NoEncryptionKey(CredentialsError):
    """The key ring is empty."""

    def __init__(self) -> None:
        super().__init__(
            "no encryption key is configured: set HOLDFAST_ENCRYPTION_KEYS (newest first, comma-separated)"
        )


class Undecryptable(CredentialsError):
    """No key of the ring opens the ciphertext, or it belongs somewhere else."""


class KeyRing:
    """The encryption keys of this process, newest first. What passes through here is kept out of the log."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        """Each key is 32 url-safe base64 bytes. Raises `ValueError` naming the place of one that is not."""
        self._fernets = [_fernet(key, place) for place, key in enumerate(keys, start=1)]

    def encrypt(self, value: JsonObject, *, context: str) -> str:
        """A ciphertext that `decrypt` opens for the same context only. Raises `NoEncryptionKey`."""
        hide(value)
        plain = json.dumps({"context": context, "value": value}, allow_nan=False)
        return self._ring().encrypt(plain.encode()).decode()

    def decrypt(self, ciphertext: str, *, context: str) -> JsonObject:
        """What was encrypted for this context. Raises `NoEncryptionKey` or `Undecryptable`."""
        try:
            plain = json.loads(self._ring().decrypt(ciphertext.encode()))
        except InvalidToken:
            raise Undecryptable(
                "no key in HOLDFAST_ENCRYPTION_KEYS opens these credentials: put the key they were saved with back "
                "into the ring, or save them again"
            ) from None
        if plain["context"] != context:
            raise Undecryptable("these credentials were saved for another connection: save them again")
        value: JsonObject = plain["value"]
        hide(value)
        return value

    @staticmethod
    def generate_key() -> str:
        """A new random key for `HOLDFAST_ENCRYPTION_KEYS`."""
        return Fernet.generate_key().decode()

    def _ring(self) -> MultiFernet:
        if not self._fernets:
            raise NoEncryptionKey
        return MultiFernet(self._fernets)


def _fernet(key: SecretStr, place: int) -> Fernet:
    try:
        return Fernet(key.get_secret_value())
    except ValueError:
        raise ValueError(
            f"HOLDFAST_ENCRYPTION_KEYS: key {place} is not 32 url-safe base64 bytes; `holdfast dev` makes one, "
            "or use cryptography's Fernet.generate_key()"
        ) from None
