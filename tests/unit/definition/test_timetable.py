"""When the moments of a schedule come, where clocks are moved above all."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from app.definition import timetable as timetables
from app.definition.timetable import Timetable, around, changes, near_change, timetable
from app.definition.triggers import ScheduleTrigger

GAP = {"Europe/Vienna": "2027-03-28", "America/New_York": "2027-03-14", "Australia/Lord_Howe": "2027-10-03"}
FOLD = {"Europe/Vienna": "2027-10-31", "America/New_York": "2027-11-07", "Australia/Lord_Howe": "2027-04-04"}


def table(cron: str | list[str] | None = None, **fields: Any) -> Timetable:
    return timetable(ScheduleTrigger(type="schedule", cron=cron, **fields))


def on(day: str, cron: str | list[str], zone: str) -> list[str]:
    """Local times with their offsets at which the line comes on that day."""
    found = table(cron, timezone=zone)
    start = datetime.fromisoformat(day).replace(tzinfo=found.zone)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=found.zone)
    moments = found.within(start.astimezone(UTC), end.astimezone(UTC) - timedelta(seconds=1), 10_000)
    return [moment.astimezone(found.zone).strftime("%H:%M%z") for moment in moments]


@pytest.mark.parametrize(
    ("cron", "zone", "times"),
    [
        ("30 2 * * *", "Europe/Vienna", ["03:00+0200"]),
        ("0,30 2 * * *", "Europe/Vienna", ["03:00+0200"]),
        ("30 2 * * *", "America/New_York", ["03:00-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", ["02:30+1100"]),
        ("30 2 * * *", "Australia/Lord_Howe", ["02:30+1100"]),
        ("0 9 * * *", "Europe/Vienna", ["09:00+0200"]),
        ("30 2 * * mon", "Europe/Vienna", []),
    ],
)
def test_a_time_that_the_clocks_skip_comes_when_they_have_moved(cron: str, zone: str, times: list[str]) -> None:
    assert on(GAP[zone], cron, zone) == times


@pytest.mark.parametrize(
    ("cron", "zone", "times"),
    [
        ("30 2 * * *", "Europe/Vienna", ["02:30+0200"]),
        ("30 1 * * *", "America/New_York", ["01:30-0400"]),
        ("45 1 * * *", "Australia/Lord_Howe", ["01:45+1100"]),
    ],
)
def test_a_time_that_comes_twice_counts_once(cron: str, zone: str, times: list[str]) -> None:
    assert on(FOLD[zone], cron, zone) == times


def test_a_line_that_follows_the_clock_has_every_hour_that_passes() -> None:
    assert on(GAP["Europe/Vienna"], "0 */2 * * *", "Europe/Vienna")[:3] == ["00:00+0100", "04:00+0200", "06:00+0200"]
    assert on(FOLD["Europe/Vienna"], "15 * * * *", "Europe/Vienna")[1:4] == ["01:15+0200", "02:15+0200", "02:15+0100"]
    for zone, day in [*GAP.items(), *FOLD.items()]:
        quarters = table("*/15 * * * *", timezone=zone)
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        moments = quarters.within(start, start + timedelta(days=1), 1000)
        assert {after - before for before, after in pairwise(moments)} == {timedelta(minutes=15)}, zone


def test_a_zone_without_changes_is_the_same_every_day() -> None:
    kolkata = table("30 2 * * *", timezone="Asia/Kolkata")
    moments = list(islice(kolkata.after(datetime(2027, 1, 1, tzinfo=UTC)), 400))
    assert {after - before for before, after in pairwise(moments)} == {timedelta(days=1)}
    assert changes(kolkata.zone, moments[0], moments[-1]) == []


def test_several_lines_come_in_their_order_and_at_one_moment_once() -> None:
    both = table(["0 9 * * *", "0 9,17 * * mon-fri"])
    moments = both.within(datetime(2027, 1, 3, tzinfo=UTC), datetime(2027, 1, 4, 23, tzinfo=UTC), 100)
    assert [moment.strftime("%d %H") for moment in moments] == ["03 09", "04 09", "04 17"]


def test_a_rare_day_is_found() -> None:
    leap = table("0 0 29 2 *")
    assert next(leap.after(datetime(2028, 2, 29, tzinfo=UTC))) == datetime(2032, 2, 29, tzinfo=UTC)
    assert next(table("0 9 * 2 mon#5").after(datetime(2027, 1, 1, tzinfo=UTC))) == datetime(2044, 2, 29, 9, tzinfo=UTC)


def test_an_interval_is_counted_from_midnight_utc_whatever_the_zone() -> None:
    quarters = table(every="15m", timezone="Australia/Lord_Howe")
    moments = list(islice(quarters.after(datetime(2027, 4, 3, 14, 50, 7, tzinfo=UTC)), 3))
    assert [moment.strftime("%H:%M:%S") for moment in moments] == ["15:00:00", "15:15:00", "15:30:00"]
    assert quarters.has(moments[0])
    assert not quarters.has(moments[0] + timedelta(seconds=1))


def test_changes_of_clocks_are_found_to_the_second() -> None:
    vienna = table("0 2 * * *", timezone="Europe/Vienna").zone
    found = changes(vienna, datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    assert found == [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)]
    assert near_change(vienna, found[0] + timedelta(hours=2))
    assert not near_change(vienna, found[0] + timedelta(days=1))
    assert [one.hour for one in around(table("0 1-4 * * *", timezone="Europe/Vienna"), found[1])] == [23, 0, 2, 3]


def test_a_minute_is_found_without_walking_the_minutes_of_days(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    real = timetables._real

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return real(*args, **options)

    monkeypatch.setattr(timetables, "_real", counted)
    moment = datetime(2026, 6, 1, 23, 59, tzinfo=UTC)
    assert table("* * * * *", timezone="Europe/Vienna").has(moment)
    assert asked < 200, "hours are looked up, not minutes"


@pytest.mark.parametrize("zone", ["Europe/Vienna", "Australia/Lord_Howe", "Africa/Cairo", "America/St_Johns"])
@pytest.mark.parametrize("cron", ["* * * * *", "* 0-22 * * *", "*/7 */2 * * *"])
def test_minutes_around_a_change_are_those_of_the_clock(zone: str, cron: str) -> None:
    one = table(cron, timezone=zone)
    for moved in changes(one.zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)):
        start = moved.replace(minute=0) - timedelta(hours=6)
        hours = [start + timedelta(minutes=minute) for minute in range(26 * 60)]  # into the day after
        within = one.within(start, hours[-1], 10_000)
        near = timedelta(hours=4)
        asked = [each for number, each in enumerate(hours) if abs(each - moved) < near or number % 13 == 0]
        assert [each for each in within if each in asked] == [each for each in asked if one.has(each)]
        [line] = one.crons
        local = [moment.astimezone(one.zone) for moment in hours]
        shown = {(each.date(), each.hour, each.minute) for each in local}
        named = {each for each in shown if each[1] in line.hours and each[2] in line.minutes}
        found = {(each.date(), each.hour, each.minute) for each in (moment.astimezone(one.zone) for moment in within)}
        assert named <= found, "no time that the clocks show is left out"
