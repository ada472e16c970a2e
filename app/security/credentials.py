"""Encryption of credentials at rest with a key ring. Knows no connection and no provider.

Fernet (AES-128-CBC with HMAC-SHA256) from `cryptography`. The newest key encrypts, every key of the ring decrypts, so a
key is rotated by putting a new one in front. A ciphertext names its key (`<key id>.<Fernet token>`), so that the
database can tell which values still need an old one; those written before keys had ids name none. What is encrypted
carries the context it belongs to: a ciphertext copied into another row or another workspace is refused.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from app.json import JsonObject
from app.observing.context import hide

KEY_ID_LENGTH = 8
"""Hexadecimal digits of a key's id: enough to tell the keys of one ring apart, and nothing about a key."""


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


@dataclass(frozen=True)
class _Key:
    id: str
    fernet: Fernet


class KeyRing:
    """The encryption keys of this process, newest first. What passes through here is kept out of the log."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        """Each key is 32 url-safe base64 bytes. Raises `ValueError` naming the place of one that is not."""
        self._keys = [_key(key, place) for place, key in enumerate(keys, start=1)]

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys' ids, newest first."""
        return tuple(key.id for key in self._keys)

    @property
    def newest(self) -> str:
        """The id of the key that encrypts. Raises `NoEncryptionKey`."""
        if not self._keys:
            raise NoEncryptionKey
        return self._keys[0].id

    def encrypt(self, value: JsonObject, *, context: str) -> str:
        """A ciphertext that `decrypt` opens for the same context only. Raises `NoEncryptionKey`."""
        hide(value)
        return self._sealed(json.dumps({"context": context, "value": value}, allow_nan=False).encode())

    def decrypt(self, ciphertext: str, *, context: str) -> JsonObject:
        """What was encrypted for this context. Raises `NoEncryptionKey` or `Undecryptable`."""
        plain = json.loads(self._opened(ciphertext))
        if plain["context"] != context:
            raise Undecryptable("these credentials were saved for another connection: save them again")
        value: JsonObject = plain["value"]
        hide(value)
        return value

    def renewed(self, ciphertext: str) -> str:
        """The same under the newest key, for the same context. Raises as `decrypt`."""
        return self._sealed(self._opened(ciphertext))

    @staticmethod
    def generate_key() -> str:
        """A new random key for `HOLDFAST_ENCRYPTION_KEYS`."""
        return Fernet.generate_key().decode()

    def _sealed(self, plain: bytes) -> str:
        return f"{self.newest}.{self._keys[0].fernet.encrypt(plain).decode()}"

    def _opened(self, ciphertext: str) -> bytes:
        if not self._keys:
            raise NoEncryptionKey
        named, _, token = ciphertext.rpartition(".")
        fitting = [key.fernet for key in self._keys if named in ("", key.id)]
        try:
            if fitting:
                return MultiFernet(fitting).decrypt(token.encode())
        except InvalidToken:
            pass
        raise Undecryptable(
            "no key in HOLDFAST_ENCRYPTION_KEYS opens these credentials: put the key they were saved with back "
            "into the ring, or save them again"
        )


def _key(key: SecretStr, place: int) -> _Key:
    text = key.get_secret_value()
    try:
        fernet = Fernet(text)
    except ValueError:
        raise ValueError(
            f"HOLDFAST_ENCRYPTION_KEYS: key {place} is not 32 url-safe base64 bytes; `holdfast dev` makes one, "
            "or use cryptography's Fernet.generate_key()"
        ) from None
    return _Key(hmac.new(text.encode(), b"holdfast key id", hashlib.sha256).hexdigest()[:KEY_ID_LENGTH], fernet)
