"""Rules of schedule triggers: that there are moments to start runs at, and that they are far enough apart."""

from datetime import timedelta
from zoneinfo import available_timezones

from app.definition import cron, durations
from app.definition.checks.findings import Findings
from app.definition.errors import DurationError, Path, shorten
from app.definition.nearest import nearest
from app.definition.triggers.schedule import ScheduleTrigger

SHORTEST = timedelta(seconds=10)
"""The least time between two runs, and the least Temporal takes for `catch_up`."""
LONGEST = timedelta(days=3660)
_NO_ZONES = ("localtime", "posixrules", "Factory")
"""What stands beside the zones in a machine's data: API, worker and Temporal may each mean another by it."""


def check_schedule(trigger: ScheduleTrigger, place: Path, findings: Findings) -> None:
    """Either `cron` or `every`, and all that goes with them."""
    if (trigger.cron is None) == (trigger.every is None):
        findings.add(place, "a schedule has either cron or every", "cron: '0 9 * * mon-fri', or every: 15m")
    _check_lines(trigger, place, findings)
    _check_zone(trigger.timezone, (*place, "timezone"), findings)
    apart = timedelta(minutes=1) if trigger.cron is not None else None
    if trigger.every is not None:
        apart = _length(trigger.every, (*place, "every"), findings)
        _check_every(apart, (*place, "every"), findings)
    jitter = None if trigger.jitter is None else _length(trigger.jitter, (*place, "jitter"), findings)
    if jitter is not None and trigger.every is not None and apart is not None and jitter > apart:
        hint = f"choose a jitter below every ({trigger.every})"
        findings.add((*place, "jitter"), f"the jitter {trigger.jitter} is longer than the time between runs", hint)
    elif jitter is not None and jitter > timedelta(days=1):
        findings.add((*place, "jitter"), f"the jitter {trigger.jitter} is longer than a day", "choose a shorter one")
    _check_catch_up(trigger.catch_up, (*place, "catch_up"), findings)


def _check_lines(trigger: ScheduleTrigger, place: Path, findings: Findings) -> None:
    for index, line in enumerate(trigger.lines):
        where = (*place, "cron") if isinstance(trigger.cron, str) else (*place, "cron", index)
        try:
            cron.parse(line)
        except DurationError as error:
            findings.add(where, error.message, error.hint)


def _check_zone(name: str, where: Path, findings: Findings) -> None:
    try:
        durations.zone(name)
    except DurationError as error:
        findings.add(where, error.message, _zone_like(name) or error.hint)
        return
    if name.startswith(("right/", "posix/")) or name in _NO_ZONES:
        hint = "use an IANA name such as Europe/Berlin or UTC"
        findings.add(where, f"'{name}' is a file of some machines, and no time zone with a place", hint)


def _zone_like(name: str) -> str | None:
    """Zones are many: those that share the place, or a part of it, come first."""
    folded = name.lower().replace(" ", "_")
    if len(folded) > 64:
        return None
    zones = sorted(available_timezones())
    ends = folded.rpartition("/")[2]
    alike = [zone for zone in zones if ends and ends[:3] in zone.lower()]
    found = nearest(folded, alike) or nearest(folded, [zone for zone in zones if zone.lower()[:3] == folded[:3]])
    if found is None and (by_place := {zone.rpartition("/")[2].lower(): zone for zone in alike}):
        found = by_place.get(nearest(ends, by_place) or "")
    return f"did you mean '{found}'?" if found else None


def _check_every(length: timedelta | None, where: Path, findings: Findings) -> None:
    if length is None:
        return
    if length < SHORTEST:
        findings.add(where, f"{length.total_seconds():g}s between runs is too short", "runs are 10s apart or more")
    elif length > LONGEST:
        findings.add(where, "more than ten years between runs is too long", "choose a shorter interval")
    elif length % timedelta(seconds=1):
        findings.add(where, "the time between runs is no whole number of seconds", "leave out the fraction")


def _check_catch_up(text: str, where: Path, findings: Findings) -> None:
    length = _length(text, where, findings)
    if length is not None and length < SHORTEST:
        findings.add(where, f"a catch_up of {text} is too short", "10s is the least; 1d is the default")


def _length(text: str, where: Path, findings: Findings) -> timedelta | None:
    """The duration, which is decided when the definition is published: no run exists yet."""
    if not durations.is_constant(text):
        hint = "write 15m, 2h or 1d"
        findings.add(where, f"'{shorten(text, 40)}' is an expression: a schedule is made before any run", hint)
        return None
    try:
        return durations.parse(text)
    except DurationError as error:
        findings.add(where, error.message, error.hint)
        return None
