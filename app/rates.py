"""How a rate is written: `600/minute`. What it limits is not known here."""

from functools import lru_cache

from limits import RateLimitItem, parse

LONGEST_WINDOW = 86_400


@lru_cache(maxsize=512)
def parsed(text: str) -> RateLimitItem:
    """The rate. Raises `ValueError` with what to write instead."""
    try:
        rate = parse(text)
    except ValueError:
        raise ValueError(f"{text!r} is no rate: write a number and a unit, such as 600/minute") from None
    if rate.amount < 1 or rate.get_expiry() > LONGEST_WINDOW:
        raise ValueError(f"{text!r} must allow one at least, within a day at most")
    return rate
