"""Durations, moments and times of day as a definition writes them. Pure: what "now" is comes from the caller.

Durations are a number with a unit (`90s`, `1h30m`, `1.5d`; ms s m h d w) or ISO 8601 (`P3D`, `PT5M`). Months and years
are no durations, since they have no length. Moments are RFC 3339 with an offset.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.definition.errors import DurationError, shorten
from app.definition.values import described
from app.json import Json

MAX_DURATION = timedelta(days=36_525)
"""A hundred years; what is longer is a mistake."""

_LONGEST = 1_000
"""Characters of what can be a duration or a moment, spaces around it included."""
_DURATION_HINT = "write 90s, 1h30m, 2d or ISO 8601 such as PT5M"
_MOMENT_HINT = "write 2030-01-31T09:00:00Z or with an offset, 2030-01-31T09:00:00+01:00"
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_WORDS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s?(ms|s|m|h|d|w)\s*", re.ASCII)
_ISO = re.compile(
    r"P(?=[\dT])(?:(?P<w>\d{1,9}(?:\.\d+)?)W)?(?:(?P<d>\d{1,9}(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d{1,9}(?:\.\d+)?)H)?(?:(?P<m>\d{1,9}(?:\.\d+)?)M)?(?:(?P<s>\d{1,12}(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse(value: Json) -> timedelta:
    """The length of a duration. Raises DurationError for what is unreadable, negative or over a hundred years."""
    if not isinstance(value, str):
        unit = f": {value} what?" if isinstance(value, int | float) and not isinstance(value, bool) else ""
        raise DurationError(f"a duration is a text with a unit, not {described(value)}{unit}", hint=_DURATION_HINT)
    text = value.strip() if len(value) <= _LONGEST else value
    if len(text) > 100:
        raise DurationError(f"'{shorten(text, 40)}' is no duration", hint=_DURATION_HINT)
    if text.startswith("-"):
        raise DurationError(f"the duration '{text}' is negative", hint="a duration is zero or more")
    milliseconds = _iso_milliseconds(text) if text[:1] in ("P", "p") else _unit_milliseconds(text)
    if milliseconds > MAX_DURATION // timedelta(milliseconds=1):
        raise DurationError(f"the duration '{text}' is longer than a hundred years")
    return timedelta(microseconds=int(milliseconds * 1000))


def _unit_milliseconds(text: str) -> Decimal:
    position, total = 0, Decimal(0)
    seen: list[str] = []
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part[2] in seen:
            raise DurationError(f"'{text}' is no duration", hint=_DURATION_HINT)
        seen.append(part[2])
        total += Decimal(part[1]) * _MILLISECONDS[part[2]]
        position = part.end()
    if not seen:
        raise DurationError("the duration is empty", hint=_DURATION_HINT)
    return total


def _iso_milliseconds(text: str) -> Decimal:
    found = _ISO.fullmatch(text.upper())
    if found is None:
        calendar = not {"Y", "M"}.isdisjoint(text.upper().partition("T")[0])
        hint = "months and years have no fixed length: use days" if calendar else _DURATION_HINT
        raise DurationError(f"'{text}' is no duration", hint=hint)
    parts = ((unit, amount) for unit, amount in found.groupdict().items() if amount)
    return sum((Decimal(amount) * _MILLISECONDS[unit] for unit, amount in parts), Decimal(0))


def parse_moment(value: Json) -> datetime:
    """A moment in UTC. RFC 3339 section 5.6; raises DurationError for anything else, a missing offset included."""
    if not isinstance(value, str):
        raise DurationError(f"a moment is an RFC 3339 text, not {described(value)}", hint=_MOMENT_HINT)
    text = value.strip() if len(value) <= _LONGEST else value
    if not _MOMENT.fullmatch(text):
        raise DurationError(f"'{shorten(text, 40)}' is no moment", hint=_MOMENT_HINT)
    # RFC 3339 allows any number of digits in the fraction and small letters; the interpreter keeps microseconds.
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
    try:
        return datetime.fromisoformat(trimmed).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DurationError(f"'{text}' is no moment: {error}", hint=_MOMENT_HINT) from None


def in_words(seconds: int) -> str:
    """`1 hour`, `30 days`: in the largest unit in which it is a whole number."""
    unit, length = next(each for each in _WORDS if seconds % each[1] == 0)
    count = seconds // length
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def format_moment(moment: datetime) -> str:
    """RFC 3339 in UTC with a Z, microseconds only when there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises DurationError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DurationError(
            f"there is no time zone '{shorten(name, 40)}'", hint="use an IANA name such as Europe/Berlin or UTC"
        ) from None


class TimeOfDayLike(Protocol):
    """What `next_time_of_day` reads: `HH:MM[:SS]`, an IANA zone and the allowed weekdays (none = every day)."""

    @property
    def time(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def days(self) -> Sequence[str]: ...


def next_time_of_day(at: TimeOfDayLike, now: datetime) -> datetime:
    """The first moment after `now` (aware) when it is `at.time` in `at.timezone` on an allowed day, in UTC.

    A time that a change of clocks skips comes as much later as the clocks moved (02:30 becomes 03:30); one that
    happens twice counts the first time only.
    """
    local_zone = zone(at.timezone)
    wanted = time.fromisoformat(at.time)
    today = now.astimezone(local_zone).date()
    allowed = at.days or _WEEKDAYS
    for offset in range(9):
        day = today + timedelta(days=offset)
        moment = _local_moment(day, wanted, local_zone)
        if _WEEKDAYS[day.weekday()] in allowed and moment > now:
            return moment
    raise DurationError(f"no day of {', '.join(allowed)} follows {now.isoformat()}")


def _local_moment(day: date, wanted: time, local_zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wanted, tzinfo=local_zone).astimezone(UTC)


def is_constant(text: str) -> bool:
    """Whether a text holds no expression, so that it can be judged as it stands."""
    return "{{" not in text and "{%" not in text


def _check(value: str) -> str:
    if is_constant(value):
        try:
            parse(value)
        except DurationError as error:
            raise PydanticCustomError("duration", "{message}", {"message": error.message, "hint": error.hint}) from None
    return value


def _refuse_bare_number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise PydanticCustomError(
            "duration",
            "{message}",
            {
                "message": f"the duration {value} has no unit",
                "hint": f"write {value}s for seconds, {value}m for minutes",
            },
        )
    return value


Duration = Annotated[
    str,
    BeforeValidator(_refuse_bare_number),
    AfterValidator(_check),
    WithJsonSchema(
        {
            "type": "string",
            "title": "Duration",
            "description": "A number with ms, s, m, h, d or w (`90s`, `1h30m`), ISO 8601 (`P3D`) or an expression.",
            "examples": ["90s", "1h30m", "P3D", "{{ vars.pause }}"],
        }
    ),
]
"""A duration as text; constants are checked when the document is read, expressions when they are evaluated."""
