"""What the tests of the language have in common."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_full_collection() -> Iterator[None]:
    """Several measure processor time. A full collection, in a process that has run thousands of tests before, takes
    longer than what is measured, and has nothing to do with it."""
    gc.disable()
    yield
    gc.enable()
