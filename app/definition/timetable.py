"""When a schedule's moments come: lines of cron in a time zone with its changes of clocks, or a steady interval.

Pure. A line that names times of day (`30 2 * * *`) has each of them once a day: where clocks skip it, when they have
moved; where it comes twice, the first time. A line that follows the clock (`*/15 * * * *`) has every moment that
really passes and shows such a time. An interval is counted from the beginning of 1970 in UTC and knows no zones.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from app.definition import cron, durations
from app.definition.cron import Cron, Days
from app.definition.triggers.schedule import ScheduleTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = timedelta(days=366 * 45)
"""Everything that ever comes does so in this time: the 29th of February on some weekday takes 40 years."""
_DAY = timedelta(days=1)
_NEAR_CHANGE = timedelta(hours=4)
_TO_LAST_MINUTE = timedelta(minutes=59)


@dataclass(frozen=True)
class Timetable:
    """The moments of one schedule: of `crons` in `zone`, or `every` so often."""

    crons: tuple[Cron, ...]
    zone: ZoneInfo
    every: timedelta | None = None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Its moments after this one, in UTC, each once, without end or as far as there are calendars."""
        if self.every is not None:
            return _steady(self.every, moment)
        found = heapq.merge(*(_moments(line, self.zone, moment) for line in self.crons))
        return (one for one, _ in groupby(found))

    def has(self, moment: datetime) -> bool:
        """Whether this is one of its moments."""
        return next(self.after(moment - timedelta(microseconds=1)), None) == moment

    def within(self, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Its moments from `start` to `end`, both included: the first ones, `most` at most."""
        found: list[datetime] = []
        for moment in islice(self.after(start - timedelta(microseconds=1)), most):
            if moment > end:
                break
            found.append(moment)
        return found


def timetable(trigger: ScheduleTrigger) -> Timetable:
    """The timetable of a trigger. Raises `DurationError` and `CronError` for what cannot be read."""
    return _timetable(tuple(trigger.lines), trigger.timezone, trigger.every)


@lru_cache(maxsize=256)
def _timetable(lines: Sequence[str], zone: str, every: str | None) -> Timetable:
    length = None if every is None else durations.parse(every)
    return Timetable(tuple(map(cron.parse, lines)), durations.zone(zone), length)


def offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    """How far the zone's clocks are ahead of UTC then."""
    return zone.utcoffset(moment.astimezone(zone)) or timedelta()


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The moments between these two at which the zone's clocks are moved, in UTC."""
    found = []
    step, before = timedelta(days=1), start
    while before < end:
        after = before + step
        if offset(zone, before) != offset(zone, after):
            found.append(_change(zone, before, after))
        before = after
    return found


def near_change(zone: ZoneInfo, moment: datetime) -> bool:
    """Whether clocks are moved within some hours of the moment."""
    return bool(changes(zone, moment - _NEAR_CHANGE, moment + _NEAR_CHANGE))


def around(table: Timetable, change: datetime) -> list[datetime]:
    """The moments of the timetable that a change of clocks may disturb."""
    moved = abs(offset(table.zone, change) - offset(table.zone, change - timedelta(seconds=1)))
    return table.within(change - moved - timedelta(hours=1), change + moved + timedelta(hours=1), 10_000)


def _steady(every: timedelta, moment: datetime) -> Iterator[datetime]:
    number = (moment - EPOCH) // every
    while True:
        number += 1
        yield EPOCH + number * every


def _moments(line: Cron, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    day = moment.astimezone(zone).date() - _DAY
    last = day + FAR
    while day < last:
        if day.month not in line.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if any(_on(days, day) for days in line.days):
            yield from _on_day(line, zone, day, moment)
        day += _DAY


def _on(days: Days, day: date) -> bool:
    return day.day in days.month_days and day.isoweekday() % 7 in days.weekdays


def _on_day(line: Cron, zone: ZoneInfo, day: date, after: datetime) -> Iterator[datetime]:
    """The line's moments of a day after this one. Of an hour in which nothing happens to the clocks only its beginning
    is looked up: a day of minutes costs as much as one of hours."""
    begins: list[datetime] = []
    changed: set[datetime] = set()
    for hour in sorted(line.hours):
        first, last = (list(_real(_at(day, hour, minute), zone, every=line.follows_clock)) for minute in (0, 59))
        if len(first) == len(last) == 1 and last[0] - first[0] == _TO_LAST_MINUTE:
            if last[0] > after:
                begins.append(first[0])
            continue
        for minute in line.minutes:
            changed.update(_real(_at(day, hour, minute), zone, every=line.follows_clock))
    minutes = [timedelta(minutes=minute) for minute in sorted(line.minutes)]
    found: Iterable[datetime] = (begin + minute for begin in begins for minute in minutes)
    return (moment for moment in (sorted({*found, *changed}) if changed else found) if moment > after)


def _at(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute))


def _real(local: datetime, zone: ZoneInfo, *, every: bool) -> Iterator[datetime]:
    """The moments at which it is this time: all of them, or the one that counts."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        yield first
    elif first < second:
        yield first
        if every:
            yield second
    elif not every:
        # The clocks skip it. Before they moved it would have been `second`, after it `first`: they moved in between.
        yield _change(zone, second, first)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole second of the new offset: the clocks are moved after `before`, and by `after`."""
    old = offset(zone, before)
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if offset(zone, datetime.fromtimestamp(middle, UTC)) == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
