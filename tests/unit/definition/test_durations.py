"""Durations, moments and times of day: what is read, what is refused, and what clocks that change do."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from app.definition.durations import Duration, format_moment, in_words, next_time_of_day, parse, parse_moment, zone
from app.definition.errors import DurationError
from app.json import Json


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("250ms", 0.25),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("1.5d", 129_600),
        ("2w", 1_209_600),
        (" 5 m ", 300),
        ("1m500ms", 60.5),
        ("P3D", 259_200),
        ("PT5M", 300),
        ("PT1H30M10.5S", 5_410.5),
        ("P1W", 604_800),
        ("P1DT12H", 129_600),
        ("pt5m", 300),
        ("P36500D", 3_153_600_000),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the duration is empty"),
        ("5", "'5' is no duration"),
        ("5 fortnights", "is no duration"),
        ("1h1h", "is no duration"),
        ("m", "is no duration"),
        ("1h-5m", "is no duration"),
        ("-5m", "the duration '-5m' is negative"),
        ("-P1D", "is negative"),
        ("P", "is no duration"),
        ("PT", "is no duration"),
        ("P1M", "is no duration"),
        ("P1Y2D", "is no duration"),
        ("P-1D", "is no duration"),
        ("٣s", "is no duration"),
        ("999999999w", "longer than a hundred years"),
        ("1" * 200 + "s", "is no duration"),
        (30, "a duration is a text with a unit, not a number: 30 what?"),
        (True, "not a boolean"),
        (None, "not null"),
        (["5m"], "not a list"),
    ],
)
def test_what_is_no_duration_is_an_error(value: Json, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse(value)
    assert message in str(caught.value)


def test_months_and_years_say_why_they_are_none() -> None:
    with pytest.raises(DurationError) as caught:
        parse("P1M")
    assert caught.value.hint == "months and years have no fixed length: use days"


def test_a_constant_duration_is_checked_when_it_is_read_and_an_expression_is_not() -> None:
    adapter = TypeAdapter(Duration)
    assert adapter.validate_python("5m") == "5m"
    assert adapter.validate_python("{{ vars.pause }}") == "{{ vars.pause }}"
    for wrong in ("soon", 30, 1.5, None, True):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-31T09:00:00Z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31t09:00:00z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31 09:00:00+01:00", datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31T09:00:00.5-05:30", datetime(2030, 1, 31, 14, 30, 0, 500_000, tzinfo=UTC)),
        ("2030-01-31T09:00:00.123456789Z", datetime(2030, 1, 31, 9, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment
    assert parse_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *("", "tomorrow", "2030-01-31", "2030-01-31T09:00:00", "20300131T090000Z", "2030-13-01T00:00:00Z"),
        *("2030-01-31T25:00:00Z", "2030-02-30T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
        *(1_900_000_000, None, True, ["2030-01-31T09:00:00Z"]),
    ],
)
def test_what_is_no_moment_is_an_error(value: Json) -> None:
    with pytest.raises(DurationError):
        parse_moment(value)


def test_a_moment_is_written_in_utc() -> None:
    assert format_moment(parse_moment("2030-01-31T09:00:00+01:00")) == "2030-01-31T08:00:00Z"
    assert format_moment(parse_moment("2030-01-31T09:00:00.25Z")) == "2030-01-31T09:00:00.250000Z"


@dataclass
class At:
    time: str
    timezone: str = "UTC"
    days: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("at", "now", "then"),
    [
        (At("09:00"), "2030-01-31T08:00:00Z", "2030-01-31T09:00:00Z"),
        (At("09:00"), "2030-01-31T09:00:00Z", "2030-02-01T09:00:00Z"),
        (At("09:00:30"), "2030-01-31T09:00:00Z", "2030-01-31T09:00:30Z"),
        # Thursday, 31 January 2030.
        (At("09:00", days=["mon"]), "2030-01-31T08:00:00Z", "2030-02-04T09:00:00Z"),
        (At("09:00", days=["thu"]), "2030-01-31T10:00:00Z", "2030-02-07T09:00:00Z"),
        (At("09:00", days=["sat", "thu"]), "2030-01-31T10:00:00Z", "2030-02-02T09:00:00Z"),
        # Already Friday in Auckland.
        (At("09:00", "Pacific/Auckland", ["fri"]), "2030-01-31T15:00:00Z", "2030-01-31T20:00:00Z"),
        (At("09:00", "Europe/Berlin"), "2030-01-31T08:30:00Z", "2030-02-01T08:00:00Z"),
        # Clocks go forward at 02:00 on 31 March 2030 in Berlin: 02:30 does not exist and comes an hour later.
        (At("02:30", "Europe/Berlin"), "2030-03-31T00:00:00Z", "2030-03-31T01:30:00Z"),
        (At("09:00", "Europe/Berlin"), "2030-03-30T12:00:00Z", "2030-03-31T07:00:00Z"),
        # Clocks go back at 03:00 on 27 October 2030: 02:30 happens twice, and the first counts.
        (At("02:30", "Europe/Berlin"), "2030-10-26T12:00:00Z", "2030-10-27T00:30:00Z"),
        (At("02:30", "Europe/Berlin"), "2030-10-27T00:30:00Z", "2030-10-28T01:30:00Z"),
    ],
)
def test_the_next_time_of_day(at: At, now: str, then: str) -> None:
    assert format_moment(next_time_of_day(at, parse_moment(now))) == then


def test_an_unknown_time_zone_is_an_error() -> None:
    for name in ("Mars/Base", "", "../../etc/passwd", "Europe", "x" * 500):
        with pytest.raises(DurationError, match="there is no time zone"):
            zone(name)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (5_400, "90 minutes"),
        (3_600, "1 hour"),
        (86_400, "1 day"),
        (604_800, "7 days"),
        (86_400_000, "1,000 days"),
    ],
)
def test_a_length_is_told_in_the_largest_unit_that_fits(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
