"""What a window says about the next request: how many more are taken, and when one is."""

import pytest
from pydantic import ValidationError

from app.rates import parsed
from app.services.rate_storage import Window
from app.settings import Settings

LIMIT = 10


@pytest.mark.parametrize(
    ("before", "part", "present", "left", "wait"),
    [
        (0, 1.0, 0, 10, 0),
        (0, 0.5, 9, 1, 0),
        (10, 0.5, 5, 0, 6),
        (10, 1.0, 0, 0, 6),
        (20, 0.5, 0, 0, 3),
        # Only in the next window is there room, once enough of this one counts no more.
        (0, 0.5, 10, 0, 36),
        (0, 0.5, 20, 0, 63),
    ],
)
def test_a_window_tells_how_many_are_left_and_when_the_next_one_is_taken(before, part, present, left, wait):
    window = Window(before, part, present, length=60)
    assert window.left(LIMIT) == left
    assert window.wait(LIMIT) == pytest.approx(wait)


@pytest.mark.parametrize("before", [0, 3, 10])
@pytest.mark.parametrize("present", [0, 7, 10])
@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_after_the_wait_one_more_is_taken_and_not_before(before, present, part):
    def counts(seconds: float) -> float:
        rest = part * 60 - seconds
        return present + before * rest / 60 if rest >= 0 else present * (60 + rest) / 60

    wait = Window(before, part, present, length=60).wait(LIMIT)
    assert counts(wait) + 1 <= LIMIT + 1e-9
    if wait > 0.01:
        assert counts(wait - 0.01) + 1 > LIMIT


@pytest.mark.parametrize("text", ["often", "0/minute", "5/year", "-1/minute"])
def test_what_is_no_rate_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match=r"600/minute|within a day"):
        parsed(text)
    with pytest.raises(ValidationError, match=r"no rate|within a day"):
        Settings(rate_limit_key=text)


def test_a_rate_may_be_left_empty():
    assert Settings(rate_limit_key="").rate_limit_key == ""
