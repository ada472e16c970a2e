"""The tables of docs/events.md agree with the code."""

import inspect

from api.routes import event_log
from app.catalog.events.registry import EVENTS, MODULES
from app.services.events import MAX_EVENTS
from tests.support.documents import ROOT, quoted, table

PAGE = "events.md"


def test_the_modules_are_those_of_the_catalog_in_its_words() -> None:
    counts = {module: sum(event.category == module for event in EVENTS.values()) for module in MODULES}
    told = [(quoted(row[0])[0], int(row[1]), row[2]) for row in table(PAGE, "module")]
    assert told == [(module, counts[module], about) for module, about in MODULES.items()]


def test_the_parameters_of_the_log_are_those_it_takes() -> None:
    taken = set(inspect.signature(event_log.list_events).parameters) - {"platform", "actor", "limit", "cursor"}
    assert {name for row in table(PAGE, "parameter") for name in quoted(row[0])} == taken


def test_the_bounds_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / PAGE).read_text()
    assert f"up to {MAX_EVENTS:,} at once" in text
    assert f"looks through {event_log.event_log.store.LOOKED_AT:,} events" in text
