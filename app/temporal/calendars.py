"""A timetable in Temporal's words: calendars, intervals, and single moments where clocks are moved.

Temporal reads calendars in a zone as well, and errs on the days on which clocks are moved: it leaves moments out, and
adds some that no calendar names. So the moments near such a change are named one by one, for longer than a year back
and ahead, and what comes too much is for who is started by it to recognise (`Timetable.has`). Pure: no server is asked.
"""

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

from app.definition.cron import Cron, Days
from app.definition.timetable import EPOCH, Timetable, around, changes, offset

AROUND = timedelta(days=400)
"""How far back and ahead changes of clocks are looked for: back, for periods that are filled in. Upkeep does so again
and again."""
_HOUR = timedelta(hours=1)


def spec(table: Timetable, jitter: timedelta | None, now: datetime) -> ScheduleSpec:
    """When Temporal shall start something, as far as can be said now."""
    if table.every is not None:
        return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=table.every, offset=timedelta())], jitter=jitter)
    moved = changes(table.zone, now - AROUND, now + AROUND)
    by_clock = [line for line in table.crons if moved and _is_every_hour(line) and _whole_hours(table, moved)]
    rest = Timetable(tuple(line for line in table.crons if line not in by_clock), table.zone)
    return ScheduleSpec(
        calendars=[each for line in rest.crons for each in _calendars(line)],
        intervals=[
            *(each for line in by_clock for each in _intervals(line)),
            *(_once(moment) for change in moved if rest.crons for moment in around(rest, change)),
        ],
        jitter=jitter,
        time_zone_name=table.zone.key,
    )


def _is_every_hour(line: Cron) -> bool:
    return (
        line.follows_clock
        and len(line.hours) == 24
        and len(line.months) == 12
        and any(len(days.month_days) == 31 and len(days.weekdays) == 7 for days in line.days)
    )


def _whole_hours(table: Timetable, moved: Iterable[datetime]) -> bool:
    """Whether the minute of the hour is the same in UTC, before and after each change."""
    return not any(offset(table.zone, moment + around_it) % _HOUR for moment in moved for around_it in (-_HOUR, _HOUR))


def _intervals(line: Cron) -> Iterator[ScheduleIntervalSpec]:
    """Minutes of every hour there is: no calendar is needed, and no change of clocks matters."""
    minutes = sorted(line.minutes)
    step = 60 // len(minutes)
    if 60 % len(minutes) == 0 and minutes == list(range(minutes[0], 60, step)):
        yield ScheduleIntervalSpec(every=timedelta(minutes=step), offset=timedelta(minutes=minutes[0]))
        return
    for minute in minutes:
        yield ScheduleIntervalSpec(every=_HOUR, offset=timedelta(minutes=minute))


def _once(moment: datetime) -> ScheduleIntervalSpec:
    """An interval as long as from 1970 to the moment: it is over then, and not again for as many years."""
    return ScheduleIntervalSpec(every=moment - EPOCH, offset=timedelta())


def _calendars(line: Cron) -> Iterator[ScheduleCalendarSpec]:
    for days in line.days:
        yield _calendar(line, days)


def _calendar(line: Cron, days: Days) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        second=[ScheduleRange(0, 0, 1)],
        minute=_ranges(line.minutes),
        hour=_ranges(line.hours),
        day_of_month=_ranges(days.month_days),
        month=_ranges(line.months),
        day_of_week=_ranges(days.weekdays),
        comment=line.text,
    )


def _ranges(numbers: Iterable[int]) -> list[ScheduleRange]:
    """Runs of numbers that follow each other, or one range of all that are equally far apart."""
    ordered = sorted(numbers)
    steps = {after - before for before, after in itertools.pairwise(ordered)}
    if len(ordered) > 2 and len(steps) == 1:
        return [ScheduleRange(ordered[0], ordered[-1], steps.pop())]
    ranges: list[ScheduleRange] = []
    for number in ordered:
        if ranges and number == ranges[-1].end + 1:
            ranges[-1] = ScheduleRange(ranges[-1].start, number, 1)
        else:
            ranges.append(ScheduleRange(number, number, 1))
    return ranges
