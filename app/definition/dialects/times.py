"""Durations and moments of other systems as ours: a number with its unit beside it, keys that name the unit, dates.

Nothing reads a clock. A number without a unit is refused: two what?
"""

import re
from datetime import date, datetime, time

from app.definition import durations
from app.definition.dialects.placeholders import Meaning, dotted, translated
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
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)
_SINGLE = re.compile(r"\{\{((?:(?!\{\{|\}\}).)*)\}\}", re.ASCII | re.DOTALL)
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


def moment(source: Source, *names: str, fields: tuple[str, ...] = (), meaning: Meaning) -> str | None:
    """The moment one of these keys says: RFC 3339, a date, or an expression, or one of `fields` names a field of the
    contact that holds one. `time` and `timezone` beside it say what it leaves open, and must not say more."""
    value, key = source.text(*names).strip(), source.key(*names)
    field, field_key = source.text(*fields), source.key(*fields)
    if value and field:
        source.error(field_key, f"'{key}' says the moment already", "keep one of the two")
    if value and not is_template(value):
        return _constant(source, value, key)
    if field and not value:
        parts = field.split(".") if "." in field else ["contact", field]
        value, key = "{{ " + dotted(parts) + " }}", field_key
    return _computed(source, str(translated(value, meaning)), key) if value else None


def _constant(source: Source, value: str, key: str) -> str:
    clock, zone_name = source.text("time"), source.text("timezone")
    is_date, is_local = _DATE.fullmatch(value), _LOCAL.fullmatch(value)
    if clock and not is_date:
        source.error("time", f"'{key}' says the time of day already", "keep one of the two")
    if zone_name and not is_date and not is_local:
        source.log.warning(source.at("timezone"), f"never used: '{key}' is a moment in any time zone", "leave it out")
    try:
        zone = durations.zone(zone_name or "UTC")
        if is_date:
            day, at = date.fromisoformat(value), time.fromisoformat(_time_of_day(source) or "00:00")
            return _rfc3339(datetime.combine(day, at, tzinfo=zone))
        if is_local:
            return _rfc3339(datetime.fromisoformat(value).replace(tzinfo=zone))
    except DurationError as error:
        source.error("timezone", error.message, error.hint)
    except ValueError:
        source.error(key, f"'{value[:40]}' is no date and time", "write 2030-01-31 and 09:00")
    return value


def _computed(source: Source, value: str, key: str) -> str:
    """A moment that is known when the run comes to it; with a time of day only its day counts, as it is written."""
    clock, zone_name = _time_of_day(source), source.text("timezone")
    if zone_name:
        try:
            durations.zone(zone_name)
        except DurationError as error:
            source.error("timezone", error.message, error.hint)
    if not clock:
        if zone_name not in ("", "UTC"):
            hint = "add time: 09:00, or leave the time zone out"
            source.error("timezone", f"'{key}' yields a moment in any time zone, so nothing uses this", hint)
        return value
    one = _SINGLE.fullmatch(value.strip())
    if one is None:
        hint = "write one {{ }} and nothing around it, or let the text hold the time and leave this out"
        source.error("time", "a time of day can be added to a single expression alone", hint)
        return value
    local = f"{{% set day = ({one[1].strip()})[:10] ~ 'T{clock}' %}}"
    if zone_name in ("", "UTC"):
        return f"{local}{{{{ day ~ 'Z' }}}}"
    # Taken for one of UTC, the moment has an offset that is right but near a change of the clocks; there the moment
    # with that offset has the right one.
    offset = f"| date_format('Z', '{zone_name}')"
    return f"{local}{{{{ day ~ (day ~ (day ~ 'Z') {offset}) {offset} }}}}"


def _time_of_day(source: Source) -> str:
    """`time` as HH:MM:SS; empty when there is none."""
    clock = source.text("time").strip()
    if not clock:
        return ""
    if not _CLOCK.fullmatch(clock):
        source.error("time", f"'{clock[:40]}' is no time of day", "write 09:00")
        return "00:00:00"
    return clock if clock.count(":") == 2 else f"{clock}:00"


def _rfc3339(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")


def is_length(value: Json) -> bool:
    """Whether a constant is a duration rather than a moment."""
    try:
        durations.parse(value)
    except DurationError:
        return False
    return True
