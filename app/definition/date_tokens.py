"""What the letters of a date's format mean: the tokens of moment.js, one function each, and formatting by them.

Which moment is meant, and in which time zone, is the caller's.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def formatted(moment: datetime, pattern: str) -> str:
    """The moment in this format. What is no token stands for itself, as does `[text]`."""
    return _TOKEN.sub(lambda token: token[1] if token[1] is not None else TOKENS[token[0]](moment), pattern)


def stray(pattern: str) -> str:
    """The first letters of a format that are no tokens, empty when there are none. A `T` between date and time is well
    known."""
    rest = _TOKEN.sub(" ", pattern)
    return next((letters for letters in re.findall(r"[A-Za-z]+", rest) if letters != "T"), "")


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if not 10 < number % 100 < 14 else "th"
    return f"{number}{suffix}"


def _day_of_year(moment: datetime) -> int:
    return moment.timetuple().tm_yday


def _since_epoch(moment: datetime) -> timedelta:
    return moment - datetime(1970, 1, 1, tzinfo=UTC)


def _offset(moment: datetime) -> str:
    return moment.strftime("%z")[:5]


def _with_colon(offset: str) -> str:
    return f"{offset[:3]}:{offset[3:]}"


TOKENS: dict[str, Callable[[datetime], str]] = {
    "YYYY": lambda moment: f"{moment.year:04}",
    "YY": lambda moment: f"{moment.year % 100:02}",
    "Q": lambda moment: str((moment.month + 2) // 3),
    "Qo": lambda moment: _ordinal((moment.month + 2) // 3),
    "MMMM": lambda moment: _MONTHS[moment.month - 1],
    "MMM": lambda moment: _MONTHS[moment.month - 1][:3],
    "MM": lambda moment: f"{moment.month:02}",
    "M": lambda moment: str(moment.month),
    "Mo": lambda moment: _ordinal(moment.month),
    "DDDD": lambda moment: f"{_day_of_year(moment):03}",
    "DDD": lambda moment: str(_day_of_year(moment)),
    "DDDo": lambda moment: _ordinal(_day_of_year(moment)),
    "DD": lambda moment: f"{moment.day:02}",
    "D": lambda moment: str(moment.day),
    "Do": lambda moment: _ordinal(moment.day),
    "dddd": lambda moment: _DAYS[moment.weekday()],
    "ddd": lambda moment: _DAYS[moment.weekday()][:3],
    "dd": lambda moment: _DAYS[moment.weekday()][:2],
    "E": lambda moment: str(moment.isoweekday()),
    "GGGG": lambda moment: f"{moment.isocalendar().year:04}",
    "WW": lambda moment: f"{moment.isocalendar().week:02}",
    "W": lambda moment: str(moment.isocalendar().week),
    "Wo": lambda moment: _ordinal(moment.isocalendar().week),
    "HH": lambda moment: f"{moment.hour:02}",
    "H": lambda moment: str(moment.hour),
    "hh": lambda moment: f"{moment.hour % 12 or 12:02}",
    "h": lambda moment: str(moment.hour % 12 or 12),
    "mm": lambda moment: f"{moment.minute:02}",
    "m": lambda moment: str(moment.minute),
    "ss": lambda moment: f"{moment.second:02}",
    "s": lambda moment: str(moment.second),
    "SSSSSS": lambda moment: f"{moment.microsecond:06}",
    "SSS": lambda moment: f"{moment.microsecond // 1000:03}",
    "A": lambda moment: "AM" if moment.hour < 12 else "PM",
    "a": lambda moment: "am" if moment.hour < 12 else "pm",
    "ZZ": _offset,
    "Z": lambda moment: _with_colon(_offset(moment)),
    "X": lambda moment: str(_since_epoch(moment) // timedelta(seconds=1)),
    "x": lambda moment: str(_since_epoch(moment) // timedelta(milliseconds=1)),
}
"""Token -> how it writes a moment. The names of months and days are English."""

_TOKEN = re.compile(r"\[([^\]]*)\]|" + "|".join(sorted(TOKENS, key=len, reverse=True)))
