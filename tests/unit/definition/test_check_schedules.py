"""Schedule triggers: what keeps one from being published, with the way out."""

import pytest

from app.definition.check import check
from app.definition.dialects import read
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid, Problem
from app.definition.triggers import ScheduleTrigger
from app.json import Json, JsonObject

STEPS = [{"id": "a", "type": "transform", "mapping": {"a": "{{ trigger.scheduled_for }}"}}]


def problems(**trigger: Json) -> list[Problem]:
    document = {"trigger": {"type": "schedule", **trigger}, "steps": STEPS}
    try:
        return check(parse(document), actions={}, connections={})
    except DefinitionInvalid as error:
        return error.problems


@pytest.mark.parametrize(
    "trigger",
    [
        {"cron": "0 9 * * mon-fri"},
        {"cron": ["@daily", "0 12 1 * *"], "timezone": "Europe/Vienna", "jitter": "10m", "overlap": "buffer_one"},
        {"every": "15m", "catch_up": "1h", "max_failures": None},
        {"every": "PT10S"},
    ],
)
def test_a_schedule_that_is_fine(trigger: JsonObject) -> None:
    assert problems(**trigger) == []


@pytest.mark.parametrize(
    ("trigger", "path", "message", "way_out"),
    [
        ({}, "trigger", "either cron or every", "every: 15m"),
        ({"cron": "@daily", "every": "1d"}, "trigger", "either cron or every", "every: 15m"),
        ({"cron": "0 25 * * *"}, "trigger.cron", "25 is not from 0 to 23", "five fields"),
        ({"cron": ["@daily", "0 0 30 2 *"]}, "trigger.cron[1]", "never comes", "28"),
        ({"cron": []}, "trigger.cron", "", ""),
        ({"cron": 5}, "trigger.cron", "", ""),
        ({"cron": "@daily", "timezone": "Europe/Wien"}, "trigger.timezone", "no time zone 'Europe/Wien'", "Vienna"),
        ({"cron": "@daily", "timezone": "europe/berlin"}, "trigger.timezone", "no time zone", "Europe/Berlin"),
        ({"cron": "@daily", "timezone": "Mars"}, "trigger.timezone", "no time zone 'Mars'", ""),
        (
            {"cron": "@daily", "timezone": "localtime"},
            "trigger.timezone",
            "'localtime' is a file of some",
            "Europe/Berlin",
        ),
        (
            {"cron": "@daily", "timezone": "right/Europe/Vienna"},
            "trigger.timezone",
            "is a file of some",
            "Europe/Berlin",
        ),
        ({"cron": "@daily", "timezone": "Factory"}, "trigger.timezone", "is a file of some", ""),
        ({"cron": "@daily", "timezone": "../../etc/passwd"}, "trigger.timezone", "no time zone", ""),
        ({"every": "5s"}, "trigger.every", "too short", "10s"),
        ({"every": "1.5m30ms"}, "trigger.every", "whole number of seconds", "fraction"),
        ({"every": "20000d"}, "trigger.every", "too long", "shorter"),
        ({"every": "{{ vars.pause }}"}, "trigger.every", "is an expression", "15m"),
        ({"every": "often"}, "trigger.every", "'often' is no duration", ""),
        ({"every": "10m", "jitter": "11m"}, "trigger.jitter", "longer than the time between", "10m"),
        ({"cron": "@daily", "jitter": "2d"}, "trigger.jitter", "longer than a day", "shorter"),
        ({"cron": "@daily", "catch_up": "5s"}, "trigger.catch_up", "too short", "10s"),
        ({"cron": "@daily", "overlap": "cancel_other"}, "trigger.overlap", "", ""),
        ({"cron": "@daily", "max_failures": 0}, "trigger.max_failures", "", ""),
        ({"cron": "*" * 1_000_000}, "trigger.cron", "longer than 250", "five fields"),
    ],
)
def test_a_schedule_that_cannot_be(trigger: JsonObject, path: str, message: str, way_out: str) -> None:
    found = problems(**trigger)
    assert [one for one in found if one.path == path and message in one.message and way_out in one.hint], found
    assert sum(len(one.message) + len(one.hint) for one in found) < 2_000


def test_a_flat_document_has_the_same_schedule() -> None:
    flat = {
        "name": "Flat",
        "trigger_type": "schedule",
        "trigger_config": {"cron_expression": "0 9 * * 1-5", "timezone": "Europe/Vienna"},
        "steps": [{"position": 1, "step_type": "delay", "delay_config": {"type": "fixed", "value": "1s"}}],
    }
    reading = read(flat)
    assert reading is not None
    assert reading.errors == []
    [trigger] = parse(reading.document).all_triggers
    assert trigger == ScheduleTrigger(type="schedule", cron="0 9 * * 1-5", timezone="Europe/Vienna")
