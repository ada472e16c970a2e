"""The page for those who bring definitions agrees with the code."""

from app.catalog.registry import LOOKUP
from app.definition.dialects.conditions import OPERATOR_NAMES
from app.definition.dialects.detect import DIALECTS
from app.definition.dialects.flat import STEP_TYPES
from app.definition.dialects.kinds import FLOW_ACTIONS
from app.definition.dialects.linked import OUTPUTS
from app.definition.dialects.names import ACTION_NAMES, action_id
from app.definition.dialects.times import UNITS
from app.definition.dialects.triggers import TRIGGER_TYPES
from app.definition.dialects.wizard import EVENT_TYPES, SOURCES
from tests.support.documents import quoted, table

PAGE = "dialects.md"


def first(column: str) -> list[str]:
    return [name for row in table(PAGE, column) for name in quoted(row[0])]


def test_every_dialect_is_told() -> None:
    assert first("dialect") == list(DIALECTS)


def test_every_kind_of_flat_step_and_of_trigger_is_told() -> None:
    assert sorted(first("`step_type`")) == sorted(STEP_TYPES)
    told = {name: quoted(row[1])[0] for row in table(PAGE, "`trigger_type`") for name in quoted(row[0])}
    assert told == TRIGGER_TYPES


def test_the_names_of_actions_are_those_that_are_read() -> None:
    told = {name: quoted(row[0])[0] for row in table(PAGE, "here") for name in quoted(row[1])}
    assert told == ACTION_NAMES


def test_the_operators_are_those_that_are_read() -> None:
    told = {name: quoted(row[0])[0] for row in table(PAGE, "ours") for name in quoted(row[1])}
    assert told == OPERATOR_NAMES


def test_the_events_and_sources_of_a_wizard_are_those_that_are_read() -> None:
    assert {quoted(row[0])[0]: quoted(row[1])[0] for row in table(PAGE, "`event_trigger`")} == EVENT_TYPES
    assert first("`source`") == list(SOURCES)


def test_what_linked_steps_give_is_told() -> None:
    told = {}
    for row in table(PAGE, "action"):
        pairs = [quoted(part) for part in row[1].split(",")]
        told[quoted(row[0])[0]] = {names[0]: names[-1] for names in pairs}
    assert told == OUTPUTS


def test_the_units_are_those_that_are_read() -> None:
    assert {quoted(row[0])[0]: quoted(row[1])[0] for row in table(PAGE, "unit")} == UNITS


def test_every_alias_of_the_catalog_is_read_as_the_catalog_means_it() -> None:
    for name, action in LOOKUP.items():
        if name not in FLOW_ACTIONS:
            assert action_id(name) in (action.id, name), name
