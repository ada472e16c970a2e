"""Lines of cron: what they name, and what is refused with a way out."""

import pytest

from app.definition.cron import SHORTHANDS, parse
from app.definition.errors import CronError


@pytest.mark.parametrize(
    ("line", "minutes", "hours"),
    [
        ("*/15 * * * *", {0, 15, 30, 45}, set(range(24))),
        ("5,10-12 9-17/4 * * *", {5, 10, 11, 12}, {9, 13, 17}),
        ("10/20 0 * * *", {10, 30, 50}, {0}),
        ("@hourly", {0}, set(range(24))),
        ("  0 7 * * MON-FRI ", {0}, {7}),
    ],
)
def test_minutes_and_hours(line: str, minutes: set[int], hours: set[int]) -> None:
    assert (parse(line).minutes, parse(line).hours) == (minutes, hours)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("mon-fri", {1, 2, 3, 4, 5}),
        ("7", {0}),
        ("0,6", {0, 6}),
        ("fri-sun", {5, 6, 0}),
        ("sat-7", {6, 0}),
        ("*/2", {0, 2, 4, 6}),
    ],
)
def test_days_of_week_by_number_and_name(field: str, days: set[int]) -> None:
    [found] = parse(f"0 0 * * {field}").days
    assert (found.month_days, found.weekdays) == (set(range(1, 32)), days)


def test_both_kinds_of_day_mean_either_unless_one_begins_with_a_star() -> None:
    thirteenth, fridays = parse("0 0 13 * fri").days
    assert (thirteenth.month_days, thirteenth.weekdays) == ({13}, set(range(7)))
    assert (len(fridays.month_days), fridays.weekdays) == (31, {5})
    [both] = parse("0 0 */2 * fri").days
    assert (len(both.month_days), both.weekdays) == (16, {5})


def test_a_weekday_of_one_week_of_the_month() -> None:
    second, fridays = parse("0 9 * jan,jul mon#2,fri").days
    assert (second.month_days, second.weekdays) == (set(range(8, 15)), {1})
    assert fridays.weekdays == {5}
    assert parse("0 9 * jan,jul mon#2").months == {1, 7}
    assert parse("0 9 * * sun#5").days[0].month_days == {29, 30, 31}


@pytest.mark.parametrize("line", SHORTHANDS)
def test_each_shorthand_is_a_line(line: str) -> None:
    assert parse(line).days == parse(SHORTHANDS[line]).days


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("30 2 * * *", False),
        ("* 2 * * *", False),
        ("0 */2 * * *", True),
        ("0 0-23 * * *", True),
        ("0 8-18 * * *", False),
    ],
)
def test_lines_with_open_hours_follow_the_clock(line: str, follows: bool) -> None:
    assert parse(line).follows_clock is follows


@pytest.mark.parametrize(
    ("line", "message", "way_out"),
    [
        ("", "five fields, not 0", "0 9 * * mon-fri"),
        ("* * *", "five fields, not 3", "0 9 * * mon-fri"),
        ("0 0 9 * * *", "five fields, not 6", "seconds"),
        ("61 * * * *", "61 is not from 0 to 59", ""),
        ("0 24 * * *", "24 is not from 0 to 23", ""),
        ("0 0 0 * *", "0 is not from 1 to 31", ""),
        ("0 0 31 2 *", "never comes", "28"),
        ("0 0 31 feb,apr *", "never comes", "28"),
        ("0 0 L * *", "'L' (last)", "28-31"),
        ("0 0 15W * *", "nearest weekday", "mon-fri"),
        ("0 0 * * 5L", "'L' (last)", "28-31"),
        ("0 0 ? * *", "'?' is not taken", "*"),
        ("0 0 1#2 * *", "belongs to one day of week", "mon#2"),
        ("0 0 * * mon#6", "first to fifth", "mon#1"),
        ("0 0 * * mno", "there is no 'mno'", "mon"),
        ("0 0 * jann *", "there is no 'jann'", "jan"),
        ("0 0 * * fri-mon", "runs backwards", "fri-7,0-mon"),
        ("*/0 * * * *", "is no step", "*/5"),
        ("*/99 * * * *", "is no step", "*/5"),
        ("1- * * * *", "no number, range or step", "1-5"),
        ("٣ * * * *", "no number, range or step", ""),
        ("@dayly", "there is no '@dayly'", "@daily"),
        ("@reboot", "is no time", "@daily"),
        ("*" * 1_000_000, "longer than 250", "five fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_a_way_out(line: str, message: str, way_out: str) -> None:
    with pytest.raises(CronError) as refused:
        parse(line)
    assert message in refused.value.message
    assert way_out in refused.value.hint
    assert len(str(refused.value)) < 300
