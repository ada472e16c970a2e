"""Signatures: of one purpose, of any key of the ring, and of nobody else."""

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.security.credentials import NoEncryptionKey
from app.security.signing import SIZE, Signer


def key() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


def test_what_was_signed_is_known_again() -> None:
    signer = Signer([key()], "test")
    assert len(signer.sign(b"data")) == SIZE
    assert signer.is_signed(b"data", signer.sign(b"data"))
    assert signer.is_signed(b"data", signer.sign(b"data")[:24], size=24)


def test_other_data_another_purpose_and_another_key_are_told_apart() -> None:
    mine = key()
    signature = Signer([mine], "test").sign(b"data")
    assert not Signer([mine], "test").is_signed(b"date", signature)
    assert not Signer([mine], "other").is_signed(b"data", signature)
    assert not Signer([key()], "test").is_signed(b"data", signature)
    assert not Signer([mine], "test").is_signed(b"data", signature[:24])
    assert not Signer([mine], "test").is_signed(b"data", b"")


def test_a_signature_outlives_a_rotation_and_the_newest_key_signs() -> None:
    old, new = key(), key()
    both = Signer([new, old], "test")
    assert both.is_signed(b"data", Signer([old], "test").sign(b"data"))
    assert both.sign(b"data") == Signer([new], "test").sign(b"data")


def test_without_a_key_nothing_is_signed() -> None:
    signer = Signer([], "test")
    assert not signer
    assert not signer.is_signed(b"data", b"")
    with pytest.raises(NoEncryptionKey):
        signer.sign(b"data")
