"""Cron as definitions write it: five fields, or `@daily` and the like. Which minutes, hours and days a line names.

Pure reading, from the words of crontab(5): `*`, lists, ranges, steps, names of months and weekdays, and `mon#2` for the
second Monday of a month. When the moments of a line come in a time zone is `timetable`'s subject.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.definition.errors import CronError, shorten
from app.definition.nearest import suggestion

LONGEST = 250
"""Characters of a line; what is longer is a mistake."""

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EXAMPLE = "write five fields, minute hour day month weekday: 0 9 * * mon-fri, or @daily"

_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\w+))?", re.ASCII)
_NTH = re.compile(r"(?P<day>\w+)#(?P<nth>\w+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """Days that are in a month's `month_days` and in `weekdays` (0 = Sunday) at once."""

    month_days: frozenset[int]
    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Cron:
    """One line, read. A day counts that is in one of `days`: day of month and day of week mean either, as in cron."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    days: tuple[Days, ...]
    follows_clock: bool
    """The hours are `*` or a step: it goes by hours that really pass, also where clocks change. Other lines name times
    of day, each of which comes once a day."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)
_EVERY_DAY, _EVERY_WEEKDAY = frozenset(range(1, 32)), frozenset(range(7))


def parse(line: str) -> Cron:
    """The line's meaning. Raises `CronError` for what is none, cannot be expressed, or can never come."""
    if len(line) > LONGEST:
        raise CronError(f"'{shorten(line, 40)}' is longer than {LONGEST} characters", hint=EXAMPLE)
    fields = _fields(line.strip().lower())
    minutes, hours, month_days, months = (
        _read(field, text) for field, text in zip(_FIELDS[:4], fields[:4], strict=True)
    )
    cron = Cron(
        text=line.strip(),
        minutes=minutes,
        hours=hours,
        months=months,
        days=_days(fields[2], month_days, fields[4]),
        follows_clock=fields[1].startswith("*") or "/" in fields[1] or len(hours) == 24,
    )
    if not any(_comes(cron.months, days) for days in cron.days):
        raise CronError(
            f"'{cron.text}' never comes: no such month has that day",
            hint="name days of month that the months have, such as 28 or 1",
        )
    return cron


def _fields(text: str) -> list[str]:
    if text.startswith("@"):
        if text == "@reboot":
            raise CronError("'@reboot' is no time", hint=EXAMPLE)
        if text not in SHORTHANDS:
            raise CronError(f"there is no '{shorten(text, 40)}'", hint=suggestion(text, SHORTHANDS))
        text = SHORTHANDS[text]
    fields = text.split()
    if len(fields) in (6, 7):
        raise CronError(
            f"a cron has five fields, not {len(fields)}: there are no seconds and no years",
            hint="leave out the field of the seconds (the first) or of the year (the last)",
        )
    if len(fields) != 5:
        raise CronError(f"a cron has five fields, not {len(fields)}", hint=EXAMPLE)
    return fields


def _days(month_text: str, month_days: frozenset[int], week_text: str) -> tuple[Days, ...]:
    """Two restricted fields mean either of them. As in cron, one that begins with `*` restricts the other instead."""
    plain, nth = _weekdays(week_text)
    by_week = [Days(month_days=_in_week(number), weekdays=frozenset({day})) for day, number in nth]
    if plain:
        by_week.append(Days(_EVERY_DAY, plain))
    if not (month_text.startswith("*") or week_text.startswith("*")):
        return (Days(month_days, _EVERY_WEEKDAY), *by_week)
    return tuple(Days(one.month_days & month_days, one.weekdays) for one in by_week)


def _weekdays(text: str) -> tuple[frozenset[int], list[tuple[int, int]]]:
    """Weekdays as such, and those of one week of the month: `(weekday, number)`."""
    field, plain, nth = _FIELDS[4], [], []
    for part in text.split(","):
        if found := _NTH.fullmatch(part):
            number = found["nth"]
            if number not in ("1", "2", "3", "4", "5"):
                raise _wrong(field, part, "a month has a first to fifth of a weekday", "write mon#1 to mon#5")
            nth.append((_number(field, found["day"], part) % 7, int(number)))
        else:
            plain.append(part)
    days = frozenset(day % 7 for day in _read(field, ",".join(plain))) if plain else frozenset[int]()
    return days, nth


def _in_week(number: int) -> frozenset[int]:
    return frozenset(range(7 * number - 6, min(7 * number, 31) + 1))


def _read(field: _Field, text: str) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _part(field, part))


def _part(field: _Field, text: str) -> range:
    _refuse_foreign(field, text)
    found = _PART.fullmatch(text)
    if found is None:
        raise _wrong(field, text, "it is no number, range or step", "write 5, 1-5, */15 or 1,15")
    step = 1
    said = found["step"]
    if said is not None:
        step = int(said) if said.isdigit() and len(said) <= 2 else 0
        if not 1 <= step <= field.high:
            raise _wrong(field, text, f"'/{shorten(said, 20)}' is no step", f"a step is 1 to {field.high}: */5")
    if found["star"]:
        # (7 is Sunday once more)
        return range(field.low, min(field.high, 6) + 1 if field.names is _WEEKDAYS else field.high + 1, step)
    first = _number(field, found["first"], text)
    if found["last"] is None:
        return range(first, (field.high if said is not None else first) + 1, step)
    last = _number(field, found["last"], text)
    if field.names is _WEEKDAYS and last == 0 < first:
        last = 7
    if last < first:
        listed = f"{found['first']}-{field.high},{field.low}-{found['last']}"
        raise _wrong(field, text, "the range runs backwards", f"name both parts: {listed}")
    return range(first, last + 1, step)


def _number(field: _Field, text: str, part: str) -> int:
    if text.isdigit() and len(text) <= 4:
        number = int(text)
        if not field.low <= number <= field.high:
            raise _wrong(field, part, f"{number} is not from {field.low} to {field.high}", EXAMPLE)
        return number
    if text not in field.names:
        known = suggestion(text, field.names) if field.names else f"numbers from {field.low} to {field.high}"
        raise _wrong(field, part, f"there is no '{shorten(text, 20)}'", known)
    return field.names[text]


def _refuse_foreign(field: _Field, text: str) -> None:
    """What other schedulers take and Temporal has no word for."""
    if text == "?":
        raise _wrong(field, text, "'?' is not taken", "write * for any")
    if "#" in text:
        raise _wrong(field, text, "'#' belongs to one day of week", "write mon#2 for the second Monday of a month")
    if field.name.startswith("day") and (text in ("l", "lw") or re.fullmatch(r"(\d+|[a-z]{3})?l(-\d+)?|\d+w", text)):
        hint = "run on 28-31 and let the first step stop the run unless the day is the right one"
        if "w" in text:
            hint = "name the days of week instead (mon-fri), and let the first step look at the date"
        raise _wrong(field, text, "'L' (last) and 'W' (nearest weekday) are not taken", hint)


def _wrong(field: _Field, text: str, what: str, hint: str) -> CronError:
    return CronError(f"the {field.name} '{shorten(text, 40)}' cannot be read: {what}", hint=hint)


def _comes(months: frozenset[int], days: Days) -> bool:
    return bool(days.weekdays) and any(min(days.month_days, default=99) <= _LONGEST_MONTHS[m - 1] for m in months)
