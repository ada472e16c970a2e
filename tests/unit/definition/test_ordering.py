"""Order among runs of events: what may ask for it, and which key an event gets."""

import pytest

from app.definition.errors import ExpressionError
from app.definition.ordering import order_key, trigger_for
from app.definition.parse import parse
from app.definition.run_limits import RunLimits
from app.definition.triggers import EventTrigger
from app.json import Json, JsonObject
from tests.support.checking import found, shows

STEP = shows("a", 1)
ORDERED: JsonObject = {"type": "event", "event": "a.b", "ordered_by": "{{ data.id }}"}
EVENT: JsonObject = {"id": "1", "source": "/s", "type": "a.b", "subject": "x", "data": {"id": 7}}


@pytest.mark.parametrize("place", ["trigger", "triggers[1]"])
def test_an_order_beside_concurrency_is_refused_at_its_place(place: str) -> None:
    head: JsonObject = {"trigger": ORDERED} if place == "trigger" else {"triggers": [{"type": "manual"}, ORDERED]}
    [(path, message)] = found(STEP, **head, settings={"concurrency": {"limit": 2}})
    assert path == f"{place}.ordered_by"
    assert "settings.concurrency" in message
    assert found(STEP, **head, settings={"max_runs_per_hour": 5}) == []


@pytest.mark.parametrize(
    ("ordered_by", "faults"),
    [("{{ data.a ~ event.id ~ source ~ type ~ subject }}", 0), ("{{ trigger.a }}", 1), ("{{ run.id }}", 1)],
)
def test_an_order_may_name_the_event_and_nothing_of_a_run(ordered_by: str, faults: int) -> None:
    assert len(found(STEP, trigger={**ORDERED, "ordered_by": ordered_by})) == faults


@pytest.mark.parametrize(
    ("ordered_by", "key"),
    [
        ("{{ data.id }}", "order:7"),
        ("{{ data.id ~ '' }}", 'order:"7"'),
        ("all", 'order:"all"'),
        ("{{ subject }}-{{ event.type }}", 'order:"x-a.b"'),
        ("{{ data.none | default(none) }}", None),
        ("{{ '' }}", None),
        (None, None),
    ],
)
def test_the_key_is_what_events_have_in_common(ordered_by: str | None, key: str | None) -> None:
    assert order_key(ordered_by, EVENT) == key


@pytest.mark.parametrize("ordered_by", ["{{ data }}", "{{ data.who.name }}"])
def test_a_key_that_cannot_be_told_is_an_error(ordered_by: str) -> None:
    with pytest.raises(ExpressionError):
        order_key(ordered_by, EVENT)


def test_the_first_trigger_that_an_event_fits_decides() -> None:
    def trigger(**fields: Json) -> EventTrigger:
        return EventTrigger.model_validate({"type": "event", "event": "a.*", **fields})

    every = [
        trigger(event="b.*"),
        trigger(source="/t"),
        trigger(filter={"id": 8}),
        trigger(filter={"id": 7}),
        trigger(),
    ]
    assert trigger_for(every, EVENT) is every[3]
    assert trigger_for(every[:3], EVENT) is None


def test_an_order_is_a_limit_of_the_workflow() -> None:
    document = parse({"trigger": ORDERED, "steps": [STEP]})
    triggers = [each for each in document.all_triggers if isinstance(each, EventTrigger)]
    limits = RunLimits.of(document.settings, triggers)
    assert limits is not None
    assert limits.ordered == tuple(triggers)
    plain = EventTrigger.model_validate({"type": "event", "event": "a.b"})
    assert RunLimits.of(document.settings, [plain]) is None
