"""Durations and moments of other systems as ours: a number with its unit beside it, keys that name the unit, dates.

Nothing reads a clock. A number without a unit is refused: two what?
"""

import re
from datetime import date, datetime, time

from app.definition import durations
from app.definition.dialects.placeholders import Meaning, translated
from app.definition.dialects.source import Source
from app.definition.errors import DurationError
from app.definition.syntax import is_template
from app.json import Json

UNITS: dict[str, str] = {
    "milliseconds": "ms",
    "seconds": "s",
    "minutes": "m",
    "hours": "h",
    "days": "d",
    "weeks": "w",
}
"""Units by their name; the singular, the first letter and `ms`, `sec`, `min` are taken too."""

_SHORT = {"ms": "ms", "s": "s", "sec": "s", "m": "m", "min": "m", "mins": "m", "h": "h", "d": "d", "w": "w"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", re.ASCII)


def unit(name: str) -> str | None:
    """The letter of a unit, or None when there is no such unit."""
    folded = name.strip().lower()
    return _SHORT.get(folded) or UNITS.get(folded) or UNITS.get(f"{folded}s")


def length(source: Source, *names: str, meaning: Meaning) -> str | None:
    """The duration one of these keys says, with `unit` or `<key>_unit` beside it, or in its own name
    (`timeout_seconds`, `minutes`). None when there is none; problems are told to the source."""
    for name in (f"{key}_{word}" for key in (*names, "delay", "wait") for word in UNITS):
        if source.has(name):
            amount = source.any(name)
            return _with_unit(source, name, amount, UNITS[name.rpartition("_")[2]])
    for word, letter in UNITS.items():
        if source.has(word):
            return _with_unit(source, word, source.any(word), letter)
    value, key = source.any(*names), source.key(*names)
    said = source.text("unit", *(f"{name}_unit" for name in names))
    letter_said = unit(said) if said else None
    if said and letter_said is None:
        source.error("unit" if source.has("unit") else f"{key}_unit", f"unknown unit '{said[:30]}'", ", ".join(UNITS))
        return None
    if value is None:
        return None
    return _with_unit(source, key, translated(value, meaning), letter_said)


def _with_unit(source: Source, key: str, amount: Json, letter: str | None) -> str | None:
    if isinstance(amount, dict):
        inner = Source(amount, source.at(key), source.log)
        found = length(inner, "value", "amount", "duration", meaning=lambda _parts: None)
        inner.done("a duration")
        return found
    if isinstance(amount, str):
        text = amount.strip()
        if letter is None:
            return text
        if is_template(text):
            return f"{text}{letter}"
        amount = float(text) if re.fullmatch(r"\d{1,12}(\.\d+)?", text, re.ASCII) else None
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0 or amount > 1e12:
        source.error(key, "that is no length of time", "write a number of 0 or more with its unit, or 90s, 2h")
        return None
    if letter is None:
        source.error(key, f"the duration {amount:g} has no unit", "add unit: " + ", ".join(UNITS))
        return None
    exact = f"{amount:.3f}".rstrip("0").rstrip(".")
    return f"{exact}{letter}"


def moment(source: Source, *names: str, meaning: Meaning) -> str | None:
    """The moment one of these keys says: an expression, RFC 3339, or a date with `time` and `timezone` beside it."""
    value, key = source.text(*names).strip(), source.key(*names)
    clock, zone_name = source.text("time"), source.text("timezone") or "UTC"
    if not value:
        return None
    if is_template(value):
        if clock:
            source.error(
                "time", "a time of day cannot be added to an expression", "let the expression yield the moment"
            )
        return str(translated(value, meaning))
    try:
        zone = durations.zone(zone_name)
        if _DATE.fullmatch(value):
            day, at = date.fromisoformat(value), time.fromisoformat(clock) if clock else time()
            return _rfc3339(datetime.combine(day, at, tzinfo=zone))
        if _LOCAL.fullmatch(value):
            return _rfc3339(datetime.fromisoformat(value).replace(tzinfo=zone))
    except DurationError as error:
        source.error("timezone", error.message, error.hint)
    except ValueError:
        source.error(key, f"'{value[:40]}' is no date and time", "write 2030-01-31 and 09:00")
    return value


def _rfc3339(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")


def is_length(value: Json) -> bool:
    """Whether a constant is a duration rather than a moment."""
    try:
        durations.parse(value)
    except DurationError:
        return False
    return True
