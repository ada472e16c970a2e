"""What is kept for seconds is forgotten after them, and never grows beyond its size."""

import time

import pytest

from app.services.expiring import Expiring


class Clock:
    """A monotonic clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_value_is_kept_for_its_time_and_no_longer(clock):
    kept = Expiring[str, int](seconds=5, size=10)
    kept.put("a", 1)
    clock.now += 4.9
    assert kept.get("a") == 1
    clock.now += 0.2
    assert kept.get("a") is None


def test_putting_again_begins_its_time_anew(clock):
    kept = Expiring[str, int](seconds=5, size=10)
    kept.put("a", 1)
    clock.now += 4
    kept.put("a", 2)
    clock.now += 4
    assert kept.get("a") == 2


def test_the_oldest_makes_room(clock):
    kept = Expiring[str, int](seconds=5, size=2)
    for number, name in enumerate(("a", "b", "a", "c")):
        kept.put(name, number)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (2, None, 3)


def test_those_of_which_something_is_true_are_forgotten(clock):
    kept = Expiring[str, int](seconds=5, size=10)
    for number, name in enumerate(("a", "b", "c")):
        kept.put(name, number)
    kept.forget_those(lambda value: value > 0)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (0, None, None)


@pytest.mark.parametrize(
    "forget", [lambda kept: kept.forget("b"), lambda kept: kept.forget_those(bool), lambda kept: kept.clear()]
)
def test_what_was_read_before_something_was_forgotten_is_not_kept_after_it(clock, forget):
    kept = Expiring[str, int](seconds=5, size=10)
    before = kept.forgotten
    kept.put("a", 1, forgotten=before)
    assert kept.get("a") == 1
    forget(kept)
    kept.put("c", 2, forgotten=before)
    assert kept.get("c") is None
    kept.put("c", 2, forgotten=kept.forgotten)
    assert kept.get("c") == 2


def test_clearing_forgets_everything(clock):
    kept = Expiring[str, int](seconds=5, size=2)
    kept.put("a", 1)
    kept.clear()
    assert kept.get("a") is None
