"""What a benchmark of waiting runs tells of its events is what they took."""

from benchmarks.waiting_runs import Asked, Events, Spread


def test_a_spread_is_told_in_milliseconds() -> None:
    assert Spread.of([number / 1000 for number in range(1, 1001)]) == Spread(500.5, 991.0, 1000.0)
    assert Spread.of([-0.5]) == Spread(-500.0, -500.0, -500.0)


def test_events_are_timed_from_their_answers_to_the_last_record() -> None:
    first = Asked("a", 0, "x", sent=100.0, answered=100.05, over=100.04, recorded=100.1, woken=True)
    last = Asked("b", 1, "y", sent=100.1, answered=100.15, over=100.2, recorded=102.0)
    found = Events.of([last, first], at_once=2)
    assert (found.per_second, found.delivered_later) == (1.0, 1)
    assert (found.answer.median, found.answer.worst) == (50.0, 50.0)
    assert (found.over.median, found.over.worst) == (20.0, 50.0)
    assert (found.recorded.median, found.recorded.worst) == (950.0, 1850.0)
    assert (found.whole.median, found.whole.worst) == (1000.0, 1900.0)
