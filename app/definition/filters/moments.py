"""Filters over moments. Which moment "now" is comes from the context; no clock is read here."""

import re
from datetime import UTC, datetime, timedelta

from app.definition import durations
from app.definition.errors import DurationError, ExpressionError
from app.definition.filters.base import Filter, Run, text
from app.json import Json

_TOKEN = re.compile(r"\[([^\]]*)\]|YYYY|YY|MMMM|MMM|MM|M|DDDD|DD|D|dddd|ddd|HH|H|hh|h|mm|m|ss|s|SSS|A|a|ZZ|Z|X|x|Q")
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
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


def moment_of(value: Json) -> datetime:
    """A moment as RFC 3339, or a date alone, which is its midnight in UTC. Raises ExpressionError for anything else."""
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
            return durations.parse_moment(f"{value.strip()}T00:00:00Z")
        return durations.parse_moment(value)
    except DurationError as error:
        raise ExpressionError(error.message, hint=error.hint) from None


def date_format(run: Run, value: Json, format: Json = "YYYY-MM-DD", timezone: Json = "UTC") -> str:
    pattern = text(format, "date_format")
    try:
        moment = moment_of(value).astimezone(durations.zone(text(timezone, "date_format")))
    except (DurationError, OverflowError) as error:
        raise ExpressionError(str(error)) from None
    run.budget.create(len(pattern) * 4)
    run.budget.charge(len(pattern))
    parts = _parts(moment)
    return _TOKEN.sub(lambda token: token[1] if token[1] is not None else parts[token[0]], pattern)


def _parts(moment: datetime) -> dict[str, str]:
    offset = moment.strftime("%z")
    hour = moment.hour % 12 or 12
    return {
        "YYYY": f"{moment.year:04}",
        "YY": f"{moment.year % 100:02}",
        "MMMM": _MONTHS[moment.month - 1],
        "MMM": _MONTHS[moment.month - 1][:3],
        "MM": f"{moment.month:02}",
        "M": str(moment.month),
        "DDDD": f"{moment.timetuple().tm_yday:03}",
        "DD": f"{moment.day:02}",
        "D": str(moment.day),
        "dddd": _DAYS[moment.weekday()],
        "ddd": _DAYS[moment.weekday()][:3],
        "HH": f"{moment.hour:02}",
        "H": str(moment.hour),
        "hh": f"{hour:02}",
        "h": str(hour),
        "mm": f"{moment.minute:02}",
        "m": str(moment.minute),
        "ss": f"{moment.second:02}",
        "s": str(moment.second),
        "SSS": f"{moment.microsecond // 1000:03}",
        "A": "AM" if moment.hour < 12 else "PM",
        "a": "am" if moment.hour < 12 else "pm",
        "Z": f"{offset[:3]}:{offset[3:5]}",
        "ZZ": offset[:5],
        "X": str(_since_epoch(moment) // timedelta(seconds=1)),
        "x": str(_since_epoch(moment) // timedelta(milliseconds=1)),
        "Q": str((moment.month + 2) // 3),
    }


def _since_epoch(moment: datetime) -> timedelta:
    return moment - datetime(1970, 1, 1, tzinfo=UTC)


def date_add(run: Run, value: Json, amount: Json, unit: Json = None) -> str:
    moment = moment_of(value)
    try:
        return durations.format_moment(moment + _signed(amount, unit))
    except OverflowError:
        raise ExpressionError("the date is outside the years 1 to 9999") from None
    except DurationError as error:
        raise ExpressionError(error.message, hint=error.hint) from None


def _signed(amount: Json, unit: Json) -> timedelta:
    if unit is None:
        source = text(amount, "date_add").strip()
        length = durations.parse(source.removeprefix("-"))
        return -length if source.startswith("-") else length
    letter = _UNITS.get(text(unit, "date_add"))
    if letter is None:
        raise ExpressionError(
            f"date_add has no unit '{str(unit)[:20]}'", hint="units are seconds, minutes, hours, days, weeks"
        )
    if type(amount) not in (int, float) or abs(amount) > 10**12:
        raise ExpressionError("date_add needs a number with a unit, or a duration such as '3d'")
    length = durations.parse(f"{abs(amount):.3f}{letter}")
    return -length if amount < 0 else length


def date_diff(run: Run, value: Json, other: Json, unit: Json = "seconds") -> Json:
    letter = _UNITS.get(text(unit, "date_diff"))
    if letter is None:
        raise ExpressionError(
            f"date_diff has no unit '{str(unit)[:20]}'", hint="units are seconds, minutes, hours, days, weeks"
        )
    difference = (moment_of(value) - moment_of(other)) / durations.parse(f"1{letter}")
    return int(difference) if difference == int(difference) else difference


FILTERS: dict[str, Filter] = {
    "date_format": Filter(
        date_format,
        "A moment as text: YYYY MM DD HH mm ss, MMMM, dddd, A, Z and others; [text] stands for itself.",
        "date_format(format='YYYY-MM-DD', timezone='UTC')",
    ),
    "date_add": Filter(
        date_add,
        "A moment so much later, or earlier with a minus: '3d', '-2h', or a number and a unit.",
        "date_add(amount, unit)",
    ),
    "date_diff": Filter(
        date_diff, "How much later it is than another moment, in a unit.", "date_diff(other, unit='seconds')"
    ),
}
