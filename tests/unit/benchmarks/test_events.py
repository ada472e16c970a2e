"""The benchmark of events sends what it tells of, and its ratios are those of what was measured."""

import pytest

from app.definition.event_types import fits
from app.definition.ordering import trigger_for
from app.definition.parse import parse
from app.definition.triggers import EventTrigger
from app.json import JsonObject
from benchmarks.events import SHAPES, Compared, _for, definition


def test_the_ratio_is_how_many_times_as_long_it_takes_among_many() -> None:
    assert Compared("filter", 10_000, one=4.0, many=6.0).ratio == 1.5


@pytest.mark.parametrize("shape", SHAPES)
def test_an_event_fits_one_trigger_of_its_shape_and_no_other(shape: str) -> None:
    _, trigger = SHAPES[shape]
    every: list[JsonObject] = [trigger("a.b", number) for number in range(20)]
    triggers = [each for each in parse(definition(*every)).all_triggers if isinstance(each, EventTrigger)]
    sent = _for(shape, every[7], 7)
    assert fits(triggers[7].event, sent["type"])
    assert [each for each in triggers if trigger_for([each], sent)] == [triggers[7]]
