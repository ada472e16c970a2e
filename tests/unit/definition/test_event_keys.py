"""Keys of waits: every event that matches has the key, whatever its numbers and texts look like."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.values import as_kept
from app.definition.conditions import bind, event_matches
from app.definition.event_keys import MAX_FIELD_BYTES, EventKey, digest_in, key_of
from app.json import Json, JsonObject

RUN: JsonObject = {"trigger": {"id": 7, "name": "Ada", "half": 1.5, "yes": True, "none": None, "list": [7, "x"]}}


def key(written: Json, run: JsonObject = RUN) -> EventKey | None:
    return key_of(*as_kept(list(bind(written, run))))


def has(event: JsonObject, found: EventKey | None) -> bool:
    assert found is not None
    return digest_in(found.fields, event) == found.digest


def of(data: Json, **more: Json) -> JsonObject:
    kept: JsonObject = as_kept({"id": "1", "source": "shop", "type": "a.b", "data": data, **more})
    return kept


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ({"id": "{{ trigger.id }}"}, '["id"]'),
        ({"field": "data.id", "operator": "equals", "value": "{{ trigger.id }}"}, '["data.id"]'),
        ({"total": {"$gt": 5}, "b": 1, "a": {"$eq": "x"}}, '["a", "b"]'),
        ({"all": [{"any": [{"x": 1}]}, {"all": [{"id": 7}]}, {"not": {"y": 1}}]}, '["id"]'),
        ("{{ data.id == trigger.id }}", '["data.id"]'),
        ("{{ trigger['id'] == event.data['odd name'] and data.total > 5 }}", '["event.data[\\"odd name\\"]"]'),
        ("{{ source == '/shop' and data.id == trigger.list[0] }}", '["data.id", "source"]'),
        ({"all": [{"type": "a.b"}, "{{ data.id == 7 }}"]}, '["data.id", "type"]'),
        ({"paid": True, "id": 7}, '["id"]'),
    ],
)
def test_what_a_match_wants_to_be_equal_is_its_key(written: Json, fields: str) -> None:
    found = key(written)
    assert found is not None
    assert found.fields == fields


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        {"id": {"$gt": 5}},
        {"id": {"$in": [7]}},
        {"id": {"$ne": 7}},
        {"id": "{{ trigger.yes }}"},
        {"id": "{{ trigger.none }}"},
        {"id": "{{ trigger.half }}"},
        {"id": "{{ trigger.list }}"},
        {"id": 2**63},
        {"id": "{{ data.other }}"},
        {"any": [{"id": 7}, {"id": 8}]},
        {"not": {"id": 7}},
        "{{ data.id == trigger.id or data.id == 8 }}",
        "{{ data.id == trigger.id + 1 }}",
        "{{ data.id != trigger.id }}",
        "{{ data.id == data.other }}",
        "{{ data.list[0] == trigger.id }}",
        "{{ data[data.which] == trigger.id }}",
        "{{ 1 == data.id == trigger.id }}",
        "{{ data.id | string == trigger.name }}",
        "{{ not data.id == trigger.id }}",
        {"x" * (MAX_FIELD_BYTES + 1): 7},
        {'["\t"]': 7},
    ],
)
def test_a_match_without_a_certain_equality_has_no_key(written: Json) -> None:
    assert key(written) is None


@pytest.mark.parametrize(
    "value", [7, 7.0, "7", "Ada", "", "a\x00b", "\ud800", 2**63 - 1, -(2**63) + 1, 1e15, 1e17, -0.0]
)
def test_an_event_with_the_value_has_the_key_and_any_other_has_not(value: Json) -> None:
    found = key({"id": "{{ trigger.id }}"}, {"trigger": {"id": value}})
    assert has(of({"id": value}), found)
    for other in (8, 7.5, "8", None, True, [value], {"id": value}):
        assert not has(of({"id": other}), found)
    assert not has(of({}), found)
    assert not has(of(None), found)


def test_numbers_that_are_equal_have_one_key_and_texts_that_look_like_them_another() -> None:
    found = key({"id": 1})
    assert found == key({"id": 1.0})
    assert has(of({"id": 1.0}), found)
    assert found != key({"id": "1"})
    assert not has(of({"id": True}), found)
    assert key({"id": 0}) == key({"id": -0.0})


def test_keys_in_several_fields_need_all_of_them() -> None:
    found = key({"a": 1, "b": "x"})
    assert has(of({"a": 1, "b": "x"}), found)
    assert not has(of({"a": 1, "b": "y"}), found)
    assert not has(of({"a": "x", "b": 1}), found)


# Few names and values, and events like the run they are for, so that many match.
_VALUES = st.sampled_from([1, 1.0, 2**60, 2.0**60, 2**70, 1.5, "1", "a", "a\x00", "a\ufffd", True, None, [1], {"b": 1}])
_FIELDS = st.sampled_from(["a", "b", "data.a", "event.data.a", "data['a']", "a[0]", "a[-1]", "a.0", "a.b", "subject"])
_CHAINS = st.sampled_from(["data.a", "data['b']", "event.data.a", "data.a.b", "data.a[0]", "subject"])
_KNOWN = st.sampled_from(["trigger.a", "trigger['b']", "trigger.a[0]", "trigger.a['b']", "1", "'a'", "1.0"])
_EQUATIONS = st.builds("{} == {}".format, _CHAINS, _KNOWN) | st.builds("{} == {}".format, _KNOWN, _CHAINS)
_TESTS = _EQUATIONS | st.sampled_from(["data.a != trigger.b", "data.a == data.b", "not data.a == 'a'", "data.a"])


def _expression(parts: list[str], word: str) -> str:
    return f"{{{{ {f' {word} '.join(parts)} }}}}"


_EXPRESSIONS = st.builds(_expression, st.lists(_TESTS, min_size=1, max_size=2), st.sampled_from(["and", "or"]))
_COMPARED = st.builds(
    lambda field, operator, value: {"field": field, "operator": operator, "value": value},
    _FIELDS,
    st.sampled_from(["equals", "equals", "not_equals", "exists"]),
    _VALUES | st.sampled_from(["{{ trigger.a }}", "{{ trigger.b }}", "{{ data.b }}"]),
)
_FILTERS = st.recursive(
    _COMPARED | _EXPRESSIONS,
    lambda inner: st.builds(
        lambda group, parts: {group: parts[0] if group == "not" else parts},
        st.sampled_from(["all", "any", "not"]),
        st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=3,
)


@settings(max_examples=1500, deadline=None)
@given(written=_FILTERS, run=st.tuples(_VALUES, _VALUES), event=st.tuples(_VALUES, _VALUES), same=st.integers(0, 3))
def test_every_event_that_matches_has_the_key(
    written: Json, run: tuple[Json, Json], event: tuple[Json, Json], same: int
) -> None:
    a, b = (mine if same & bit else its for mine, its, bit in zip(run, event, (1, 2), strict=True))
    try:
        bound = bind(written, {"trigger": {"a": run[0], "b": run[1]}})
    except ValueError:
        return
    match, context = as_kept(list(bound))
    sent = of({"a": a, "b": b}, subject="a")
    found = key_of(match, context)
    if found is not None and event_matches(match, sent, context):
        assert digest_in(found.fields, sent) == found.digest
