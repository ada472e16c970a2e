"""An API key names its workspace, and is told from every other by its hash alone."""

import hashlib

import pytest
from uuid_utils.compat import uuid7

from app.security import api_keys


def test_a_key_says_its_workspace():
    workspace = uuid7()
    read = api_keys.read(api_keys.generate(workspace))
    assert read is not None
    assert read.workspace_id == workspace


def test_a_key_is_stored_as_the_hash_of_its_whole_text():
    key = api_keys.generate(uuid7())
    read = api_keys.read(key)
    assert read is not None
    assert read.hash == hashlib.sha256(key.encode()).hexdigest()
    assert key.rpartition("_")[2].startswith(read.prefix)


def test_keys_of_one_workspace_differ():
    workspace = uuid7()
    assert len({api_keys.generate(workspace) for _ in range(100)}) == 100


def test_a_key_matches_its_own_hash_and_no_other():
    workspace = uuid7()
    one, other = (api_keys.read(api_keys.generate(workspace)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert api_keys.matches(one, one.hash)
    assert not api_keys.matches(one, other.hash)


def test_a_secret_of_one_workspace_is_no_key_of_another():
    one, other = api_keys.generate(uuid7()), api_keys.generate(uuid7())
    mixed = api_keys.read("_".join([*other.split("_")[:2], one.split("_")[2]]))
    original = api_keys.read(one)
    assert mixed is not None
    assert original is not None
    assert not api_keys.matches(mixed, original.hash)


@pytest.mark.parametrize(
    "text",
    ["", "hf", "hf_", "hf__", "hf_a_b", "hf_" + "a" * 26, "sk_live_123", "hf_é_é", "hf_" + "1" * 26 + "_" + "a" * 32],
)
def test_what_cannot_be_a_key_is_not_read_as_one(text):
    assert api_keys.read(text) is None


def test_a_key_cut_short_or_grown_is_not_read_as_one():
    key = api_keys.generate(uuid7())
    for text in (key[:-8], key + "aaaaaaaa", key + "_x", " " + key):
        assert api_keys.read(text) is None
