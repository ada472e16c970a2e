"""The page about schedules says what the code knows."""

import pytest

from app.definition import cron
from app.definition.triggers import ScheduleTrigger
from tests.support.documents import quoted, table

ROWS = {quoted(row[0])[0]: row for row in table("schedules.md", "field")}
LINES = [line for row in table("schedules.md", "line") for line in quoted(row[0])]


def test_the_fields_and_their_defaults_are_those_of_the_trigger() -> None:
    fields = {name: field for name, field in ScheduleTrigger.model_fields.items() if name != "type"}
    assert set(ROWS) == set(fields)
    for name, field in fields.items():
        assert ROWS[name][1].strip("`") == ("" if field.default is None else str(field.default)), name


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_page_can_be_read(line: str) -> None:
    cron.parse(line)


def test_every_shorthand_is_told() -> None:
    assert set(cron.SHORTHANDS) <= set(LINES)
