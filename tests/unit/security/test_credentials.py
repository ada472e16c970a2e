"""Credentials are opened by the ring's keys, for the connection they were saved for, and by nothing else."""

import pytest
from pydantic import SecretStr

from app.security.credentials import KeyRing, NoEncryptionKey, Undecryptable

SECRET = {"username": "u", "password": "hunter2", "nested": [1, None, "ü"]}


def ring(*keys: str) -> KeyRing:
    return KeyRing([SecretStr(key) for key in keys])


def test_what_was_encrypted_comes_back_as_it_was():
    keys = ring(KeyRing.generate_key())
    ciphertext = keys.encrypt(SECRET, context="connection:1")
    assert "hunter2" not in ciphertext
    assert keys.decrypt(ciphertext, context="connection:1") == SECRET


def test_a_ciphertext_moved_to_another_connection_is_refused():
    keys = ring(KeyRing.generate_key())
    with pytest.raises(Undecryptable, match="another connection"):
        keys.decrypt(keys.encrypt(SECRET, context="connection:1"), context="connection:2")


def test_a_new_key_in_front_still_opens_what_the_old_one_closed():
    old, new = KeyRing.generate_key(), KeyRing.generate_key()
    ciphertext = ring(old).encrypt(SECRET, context="c")
    assert ring(new, old).decrypt(ciphertext, context="c") == SECRET


def test_the_newest_key_encrypts():
    old, new = KeyRing.generate_key(), KeyRing.generate_key()
    assert ring(new).decrypt(ring(new, old).encrypt(SECRET, context="c"), context="c") == SECRET


def test_without_its_key_a_ciphertext_stays_closed():
    ciphertext = ring(KeyRing.generate_key()).encrypt(SECRET, context="c")
    with pytest.raises(Undecryptable, match="HOLDFAST_ENCRYPTION_KEYS"):
        ring(KeyRing.generate_key()).decrypt(ciphertext, context="c")


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-4], lambda text: "A" + text[1:], lambda text: "", lambda text: "é"]
)
def test_a_damaged_ciphertext_is_refused(damage):
    keys = ring(KeyRing.generate_key())
    with pytest.raises(Undecryptable):
        keys.decrypt(damage(keys.encrypt(SECRET, context="c")), context="c")


def test_an_empty_ring_says_what_to_set():
    with pytest.raises(NoEncryptionKey, match="set HOLDFAST_ENCRYPTION_KEYS"):
        ring().encrypt(SECRET, context="c")
    with pytest.raises(NoEncryptionKey):
        ring().decrypt("x", context="c")


@pytest.mark.parametrize("key", ["short-secret", "", "A" * 44, "é" * 32])
def test_a_key_of_the_wrong_shape_is_named_by_its_place_and_not_shown(key):
    with pytest.raises(ValueError, match="key 2 is not 32") as caught:
        ring(KeyRing.generate_key(), key)
    assert key == "" or key not in str(caught.value)
