"""Moments that are waited for: a date, a time of day and a time zone, each said once, none of them dropped."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.definition.durations import parse_moment
from app.definition.expressions import evaluate
from app.json import Json, JsonObject
from tests.support.dialects import errors, published, read, step


def wait(**config: Json) -> JsonObject:
    return {"action_type": "wait_until_date", "action_config": config}


@pytest.mark.parametrize(
    ("config", "until"),
    [
        ({"date": "2031-05-01", "time": "09:30", "timezone": "Europe/Berlin"}, "2031-05-01T09:30:00+02:00"),
        ({"date": "2031-05-01", "timezone": "Europe/Berlin"}, "2031-05-01T00:00:00+02:00"),
        ({"date": "2031-05-01T10:00"}, "2031-05-01T10:00:00Z"),
        ({"date": "2031-05-01T10:00", "timezone": "Europe/Berlin"}, "2031-05-01T10:00:00+02:00"),
        ({"date": "2031-05-01T10:00:00Z"}, "2031-05-01T10:00:00Z"),
        ({"contact_field": "renewal_date"}, "{{ trigger.contact.renewal_date }}"),
        ({"date": "{{contact.due}}"}, "{{ trigger.contact.due }}"),
        ({"date": "{{contact.due}}", "timezone": "UTC"}, "{{ trigger.contact.due }}"),
    ],
)
def test_a_date_is_waited_for(config: JsonObject, until: str) -> None:
    assert step(wait(**config), "actions")["until"] == until


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Apia", "UTC", ""])
@pytest.mark.parametrize("day", ["2030-01-31", "2030-03-10", "2030-03-31", "2030-07-01T23:30:00Z", "2030-11-03"])
@pytest.mark.parametrize("config", [{"contact_field": "appointment"}, {"date": "{{ contact.appointment }}"}], ids=str)
def test_a_time_of_day_and_its_zone_are_added_to_a_day_that_is_known_later(
    config: JsonObject, day: str, zone: str
) -> None:
    made = published({"trigger_type": "manual", "actions": [wait(**config, time="09:00", timezone=zone)]})
    until = evaluate(made["steps"][0]["until"], {"trigger": {"contact": {"appointment": day}}})
    expected = datetime.fromisoformat(f"{day[:10]}T09:00:00").replace(tzinfo=ZoneInfo(zone or "UTC"))
    assert parse_moment(until) == expected


@pytest.mark.parametrize(
    ("config", "key", "message"),
    [
        ({"date": "2031-05-01T08:00", "time": "09:00"}, "time", "'date' says the time of day already"),
        ({"date": "2031-05-01T08:00:00Z", "time": "09:00"}, "time", "'date' says the time of day already"),
        ({"date": "2031-05-01", "time": "9am"}, "time", "'9am' is no time of day"),
        ({"date": "2031-05-01", "time": "09:00+02:00"}, "time", "'09:00+02:00' is no time of day"),
        ({"contact_field": "due", "time": "{{hour}}"}, "time", "'{{hour}}' is no time of day"),
        ({"contact_field": "due", "timezone": "Europe/Paris"}, "timezone", "so nothing uses this"),
        ({"date": "{{contact.due}}", "timezone": "Europe/Paris"}, "timezone", "so nothing uses this"),
        ({"contact_field": "due", "time": "09:00", "timezone": "Mars"}, "timezone", "there is no time zone 'Mars'"),
        ({"date": "{{y}}-01-31", "time": "09:00"}, "time", "to a single expression alone"),
        ({"date": "2031-05-01", "contact_field": "due"}, "contact_field", "'date' says the moment already"),
    ],
)
def test_what_nothing_would_use_is_told_at_its_place(config: JsonObject, key: str, message: str) -> None:
    found = errors({"actions": [wait(**config)]})
    assert [path for path, said in found if message in said] == [f"actions[0].action_config.{key}"], found


def test_a_time_zone_beside_a_moment_that_has_one_is_told() -> None:
    reading = read({"actions": [wait(date="2031-05-01T08:00:00Z", timezone="Europe/Paris")]})
    assert reading.errors == []
    assert [(each.path, each.severity) for each in reading.remarks[1:]] == [
        ("actions[0].action_config.timezone", "warning")
    ]
