"""Filters over moments. Which moment "now" is comes from the context; no clock is read here."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.definition import durations
from app.definition.date_tokens import formatted, stray
from app.definition.errors import DurationError, ExpressionError
from app.definition.filters.base import Filter, Run, text
from app.json import Json

_UNITS = {
    unit: letter
    for letter, units in {
        "ms": "ms millisecond milliseconds",
        "s": "s second seconds",
        "m": "m minute minutes",
        "h": "h hour hours",
        "d": "d day days",
        "w": "w week weeks",
    }.items()
    for unit in units.split()
}


def moment_of(run: Run, value: Json) -> datetime:
    """A moment as RFC 3339, or a date alone, which is its midnight in UTC. Raises ExpressionError for anything else."""
    if isinstance(value, str):
        run.budget.read(value)
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
            return durations.parse_moment(f"{value.strip()}T00:00:00Z")
        return durations.parse_moment(value)
    except DurationError as error:
        raise ExpressionError(error.message, hint=error.hint) from None


def date_format(run: Run, value: Json, format: Json = "YYYY-MM-DD", timezone: Json = "UTC") -> str:
    pattern = text(run, format, "date_format")
    try:
        moment = moment_of(run, value).astimezone(_zone(run, text(run, timezone, "date_format")))
    except (DurationError, OverflowError) as error:
        raise ExpressionError(str(error)) from None
    run.budget.create(len(pattern) * 4)
    run.budget.charge(len(pattern))
    return formatted(moment, pattern)


def _judged(format: Json = "", timezone: Json = "") -> str:
    """Letters that mean nothing would stand between those that do, and `um` be a `u` and minutes."""
    letters = stray(format) if isinstance(format, str) else ""
    return f"date_format has no '{letters[:20]}': what is text stands in brackets, such as [at]" if letters else ""


def _zone(run: Run, name: str) -> ZoneInfo:
    """The time zone, paid for once in an evaluation: it is read from a file."""
    found: ZoneInfo | None = run.budget.met.get(("zone", name))
    if found is None:
        run.budget.pay(100)
        found = run.budget.met["zone", name] = durations.zone(name)
    return found


def date_add(run: Run, value: Json, amount: Json, unit: Json = None) -> str:
    moment = moment_of(run, value)
    try:
        return durations.format_moment(moment + _signed(run, amount, unit))
    except OverflowError:
        raise ExpressionError("the date is outside the years 1 to 9999") from None
    except DurationError as error:
        raise ExpressionError(error.message, hint=error.hint) from None


def _signed(run: Run, amount: Json, unit: Json) -> timedelta:
    if unit is None:
        source = text(run, amount, "date_add").strip()
        length = durations.parse(source.removeprefix("-"))
        return -length if source.startswith("-") else length
    letter = _UNITS.get(text(run, unit, "date_add"))
    if letter is None:
        raise ExpressionError(
            f"date_add has no unit '{str(unit)[:20]}'", hint="units are seconds, minutes, hours, days, weeks"
        )
    if type(amount) not in (int, float) or abs(amount) > 10**12:
        raise ExpressionError("date_add needs a number with a unit, or a duration such as '3d'")
    length = durations.parse(f"{abs(amount):.3f}{letter}")
    return -length if amount < 0 else length


def date_diff(run: Run, value: Json, other: Json, unit: Json = "seconds") -> Json:
    letter = _UNITS.get(text(run, unit, "date_diff"))
    if letter is None:
        raise ExpressionError(
            f"date_diff has no unit '{str(unit)[:20]}'", hint="units are seconds, minutes, hours, days, weeks"
        )
    difference = (moment_of(run, value) - moment_of(run, other)) / durations.parse(f"1{letter}")
    return int(difference) if difference == int(difference) else difference


FILTERS: dict[str, Filter] = {
    "date_format": Filter(
        date_format,
        "A moment as text: YYYY MM DD HH mm ss, MMMM, dddd, A, Z and others; [text] stands for itself.",
        "date_format(format='YYYY-MM-DD', timezone='UTC')",
        price=10,
        judge=_judged,
    ),
    "date_add": Filter(
        date_add,
        "A moment so much later, or earlier with a minus: '3d', '-2h', or a number and a unit.",
        "date_add(amount, unit)",
        price=10,
    ),
    "date_diff": Filter(
        date_diff,
        "How much later it is than another moment, in a unit.",
        "date_diff(other, unit='seconds')",
        price=10,
    ),
}
