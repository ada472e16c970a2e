"""The types of event: all that are promised, each with what a reader needs, none with a field that is made up."""

import re
from pathlib import Path

import jsonschema
import pytest

from app.catalog.events.base import EventType
from app.catalog.events.registry import EVENTS, MODULES
from app.definition.checks.findings import Findings
from app.definition.checks.kinds import check_event_type
from app.definition.dialects.wizard import EVENT_TYPES
from app.definition.triggers.message import Channel, message_event
from app.services import subscribing

EVERY = [pytest.param(entry, id=entry.id) for entry in EVENTS.values()]
REFERENCES = Path(__file__).resolve().parents[4] / "shared" / "reference"
COUNTS = {
    "crm": 25, "booking": 11, "form": 6, "accounting": 15, "ecommerce": 13, "domain": 31, "system": 9, "wizard": 12,
    "message": 5,
}  # fmt: skip


def test_every_module_has_its_events() -> None:
    found = {module: sum(event.category == module for event in EVENTS.values()) for module in MODULES}
    assert found == COUNTS


@pytest.mark.skipif(not REFERENCES.exists(), reason=f"the documents the registry is from are not here ({REFERENCES})")
def test_the_registry_is_that_of_the_documents() -> None:
    [text] = [path.read_text() for path in REFERENCES.glob("004_*.txt")]
    registry = text.partition("export const EVENT_REGISTRY")[2].partition("} as const")[0]
    told = set(re.findall(r": '([a-z_]+\.[a-z_]+\.[a-z_]+)'", registry))
    assert len(told) == 110
    assert {id for id, event in EVENTS.items() if event.category not in ("wizard", "message")} == told


def test_what_wizards_and_messages_become_is_known() -> None:
    assert set(EVENT_TYPES.values()) == {id for id in EVENTS if id.startswith("wizard.")}
    channels = {message_event(channel) for channel in Channel.__args__}  # type: ignore[attr-defined]
    assert channels == {id for id in EVENTS if id.startswith("message.")}
    assert {subscribing.WEBHOOK_EVENT, subscribing.FORM_EVENT} <= set(EVENTS)


@pytest.mark.parametrize("entry", EVERY)
def test_every_entry_says_what_people_need_to_know(entry: EventType) -> None:
    findings = Findings()
    check_event_type(entry.id, ("event",), findings)
    assert findings.problems == []
    assert entry.title.strip()
    assert entry.description.endswith(".")
    assert entry.entity in entry.id.split(".")


@pytest.mark.parametrize("entry", [each for each in EVERY if each.values[0].fields])  # type: ignore[attr-defined]
def test_every_field_is_described_and_none_is_demanded(entry: EventType) -> None:
    schema = entry.data_schema
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (schema["additionalProperties"], "required" in schema) == (True, False)
    assert [name for name, field in schema["properties"].items() if not field["description"].endswith(".")] == []


@pytest.mark.parametrize("entry", EVERY)
def test_every_example_fits_its_schema(entry: EventType) -> None:
    assert bool(entry.example) == bool(entry.fields)
    if entry.data_schema is not None:
        assert set(entry.example) <= set(entry.fields)
        jsonschema.validate(entry.example, entry.data_schema)
