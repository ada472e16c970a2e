"""Filters over events: the short form, whose names they see, and binding them to a run when a wait begins."""

import pytest

from app.definition.condition_shapes import faults
from app.definition.conditions import bind, event_matches
from app.definition.expressions import ExpressionError
from app.json import Json, JsonObject

EVENT: JsonObject = {
    "id": "e1",
    "source": "shop",
    "type": "ecommerce.order.created",
    "subject": "order/7",
    "data": {"contact_id": 7, "total": 60, "tags": ["vip"], "data": "inner", "owner": {"id": "a"}, "note": None},
}
RUN: JsonObject = {
    "trigger": {"contact": {"id": 7, "tag": "vip"}, "min": 50, "big": "x" * 1_000},
    "vars": {"evil": "{{ data }}"},
}


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        (None, True),
        (True, True),
        ({"contact_id": 7}, True),
        ({"contact_id": 8}, False),
        ({"contact_id": 7, "total": 60}, True),
        ({"contact_id": 7, "total": 61}, False),
        ({"data.contact_id": 7}, True),
        ({"owner.id": "a"}, True),
        ({"owner": {"id": "a"}}, True),
        ({"note": None}, True),
        ({"total": {"$gt": 50}}, True),
        ({"total": {"$gt": 50, "$lt": 60}}, False),
        ({"total": {"$gte": 60, "$lte": 60, "$ne": 5, "$eq": 60}}, True),
        ({"tags": {"$contains": "vip"}}, True),
        ({"contact_id": {"$in": [1, 7]}}, True),
        ({"type": "ecommerce.order.created"}, True),
        ({"source": "shop", "subject": "order/7"}, True),
        ({"event.id": "e1"}, True),
        ({"data.data": "inner"}, True),
        ({"field": "contact_id", "operator": "equals", "value": 7}, True),
        ({"field": "data.total", "operator": "greater_than", "value": 60}, False),
        ({"all": [{"contact_id": 7}, {"not": {"total": 1}}]}, True),
        ("{{ data.total > 50 and type == 'ecommerce.order.created' and event.data.contact_id == 7 }}", True),
        ("{{ source == 'other' }}", False),
    ],
)
def test_a_filter_sees_the_event(match: Json, matches: bool) -> None:
    assert event_matches(match, EVENT, {}) is matches


@pytest.mark.parametrize(
    "match",
    [
        {"contact_id": "7"},
        {"total": {"$gt": "50"}},
        {"missing": {"$gt": 5}},
        "{{ data.missing == 5 }}",
        "{{ unknown.name }}",
        "{{ data.total }}",
        {"field": "total", "operator": "before", "value": "2030-01-01T00:00:00Z"},
    ],
)
def test_an_event_that_cannot_be_compared_is_not_the_one(match: Json) -> None:
    assert event_matches(match, EVENT, {}) is False


def test_an_event_without_data_or_subject_matches_nothing_but_its_envelope() -> None:
    bare = {"id": "1", "source": "s", "type": "t"}
    assert event_matches({"type": "t"}, bare, {}) is True
    assert event_matches({"contact_id": 7}, bare, {}) is False
    assert event_matches({"field": "subject", "operator": "not_exists"}, bare, {}) is True


def test_binding_resolves_what_depends_on_the_run() -> None:
    match, context = bind({"contact_id": "{{ trigger.contact.id }}", "total": {"$gte": "{{ trigger.min }}"}}, RUN)
    assert context == {}
    assert "{{" not in str(match)
    assert event_matches(match, EVENT, context) is True
    assert event_matches(match, {**EVENT, "data": {"contact_id": 8, "total": 60}}, context) is False


def test_binding_keeps_what_names_the_event_and_only_what_that_needs() -> None:
    match, context = bind("{{ data.contact_id == trigger.contact.id and data.total > trigger.min }}", RUN)
    assert context == {"trigger": {"contact": {"id": 7}, "min": 50}}
    assert event_matches(match, EVENT, context) is True


def test_binding_inside_groups_mixes_both() -> None:
    written = {
        "any": [
            {"not": {"field": "data.tags", "operator": "contains", "value": "{{ trigger.contact.tag }}"}},
            {"field": "total", "operator": "equals", "value": "{{ data.contact_id + trigger.min + 3 }}"},
        ]
    }
    match, context = bind(written, RUN)
    assert context == {"trigger": {"min": 50}}
    assert event_matches(match, EVENT, context) is True
    assert event_matches(match, EVENT, {"trigger": {"min": 51}}) is False


def test_an_expression_about_the_run_alone_is_decided_when_it_is_bound() -> None:
    assert bind("{{ trigger.min > 40 }}", RUN) == (True, {})
    assert bind({"any": [False, "{{ trigger.min > 90 }}"]}, RUN) == ({"any": [False, False]}, {})
    assert bind(None, RUN) == (None, {})


def test_data_of_the_run_is_never_read_as_a_template() -> None:
    match, context = bind({"note": "{{ vars.evil }}"}, RUN)
    assert event_matches(match, {**EVENT, "data": {"note": "{{ data }}"}}, context) is True


def test_binding_what_cannot_be_resolved_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="has no 'idd'"):
        bind({"contact_id": "{{ trigger.contact.idd }}"}, RUN)


def test_binding_a_whole_object_and_a_part_of_it_keeps_the_whole() -> None:
    _match, context = bind("{{ data.owner == trigger.contact or data.contact_id == trigger.contact.id }}", RUN)
    assert context == {"trigger": {"contact": {"id": 7, "tag": "vip"}}}
    _match, context = bind("{{ data.contact_id == trigger.contact.id or data.owner == trigger.contact }}", RUN)
    assert context == {"trigger": {"contact": {"id": 7, "tag": "vip"}}}


@pytest.mark.parametrize(
    ("match", "place", "message"),
    [
        ({}, (), "the filter is empty"),
        ({"a.b": {"$gtt": 5}}, ("a.b", "$gtt"), "unknown operator '$gtt'"),
        ({"a.b": {"$gt": 5, "x": 1}}, ("a.b", "x"), "unknown operator 'x'"),
        ({"a b": 5}, ("a b",), "is no path"),
        ({"a": {"$in": 5}}, ("a", "$in"), "'in' needs a list"),
        ({"any": [{"a": {"$lt": 5, "$bad": 1}}]}, ("any", 0, "a", "$bad"), "unknown operator '$bad'"),
        ("type", (), "is a text, not a condition"),
    ],
)
def test_a_document_that_is_no_filter_says_where(match: Json, place: tuple[str | int, ...], message: str) -> None:
    found = [(fault.place, fault.message) for fault in faults(match, short=True)]
    assert any(where == place and message in said for where, said in found), found
