"""What a value is checked for, and what that may cost whoever wrote the schema or sent the value."""

from time import process_time

import pytest

from app.definition.json_schema import TooMuchWork, UnusableSchema, errors_of
from app.json import Json, JsonObject

LONG = 5.0
"""Seconds: far more than a check takes, far less than one without bounds would."""


def fits(value: Json, schema: JsonObject) -> bool:
    return not errors_of(value, schema, most=50)


def doubling(levels: int, word: str, last: JsonObject) -> JsonObject:
    """Each level refers to the one below it twice."""
    names = {f"a{n}": {word: [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, levels + 1)}
    return {"$ref": f"#/$defs/a{levels}", "$defs": {"a0": last, **names}}


LARGE: Json = ["x" * 10] * 30_000
HARD: dict[str, tuple[Json, JsonObject]] = {
    "references that double": (1, doubling(40, "allOf", {"type": "integer"})),
    "choices that double": (1, doubling(40, "anyOf", {"type": "string"})),
    "long lists": ([1] * 200_000, {"items": {"type": "integer"}}),
    "a large value told of often": (["x" * 10] * 30_000, {"anyOf": [{"type": "string"}] * 1_000}),
    "many texts to search": ("a" * 200_000, {"allOf": [{"pattern": "^(a+)+$"}] * 500}),
    "choices that fit nothing": (LARGE, {"anyOf": [False] * 20_000}),
    "conditions that never hold": (LARGE, {"allOf": [{"if": False}] * 90_000}),
    "one choice of many that do not fit": (LARGE, {"oneOf": [True, *[False] * 90_000]}),
    "what is not asked of each of many": ([1] * 100_000, {"allOf": [{"items": True}, {"contains": True}] * 5_000}),
    "many formats of a long text": ("a" * 400_000, {"allOf": [{"format": "email"}] * 5_000}),
    "many numbers to divide by": (10**4_000 + 1, {"allOf": [{"multipleOf": 0.1}] * 5_000}),
    "many comparisons with a long name": ({"a" * 400_000: 1}, {"allOf": [{"not": {"const": 1}}] * 5_000}),
    "a list of types that are none": (1, {"type": [{"n": n} for n in range(30_000)]}),
}


@pytest.mark.parametrize("name", HARD)
def test_a_check_that_would_take_too_long_is_given_up(name: str) -> None:
    began = process_time()
    with pytest.raises(TooMuchWork):
        errors_of(*HARD[name], most=50)
    assert process_time() - began < LONG


def test_what_people_send_is_checked_to_its_end() -> None:
    row = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    schema: JsonObject = {"items": {"$ref": "#/$defs/row"}, "$defs": {"row": row}}
    rows: list[Json] = [{"a": n, "b": "x"} for n in range(10_000)]
    assert fits(rows, schema)
    assert not fits([*rows, {"b": "x"}], schema)


def test_equal_elements_are_found_among_many() -> None:
    many: list[Json] = [{"n": n} for n in range(10_000)]
    began = process_time()
    assert fits(many, {"uniqueItems": True})
    assert not fits([*many, {"n": 5.0}], {"uniqueItems": True})
    assert process_time() - began < LONG


@pytest.mark.parametrize(("value", "unique"), [([1, True], True), ([1, 1.0], False), ([0, False, "0", None], True)])
def test_elements_are_equal_as_json_has_it(value: Json, unique: bool) -> None:
    assert fits(value, {"uniqueItems": True}) is unique
    first, second, *_ = value
    assert fits(first, {"const": second}) is fits(first, {"enum": [second]}) is not unique


@pytest.mark.parametrize(
    ("number", "step", "is_multiple"),
    [
        (19.99, 0.01, True),
        (19.995, 0.01, False),
        (1.1, 0.1, True),
        (7, 2, False),
        (10**400, 0.1, True),
        (10**400 + 1, 2.5, False),
        (1e300, 1e-300, True),
        (float("inf"), 2, False),
    ],
)
def test_a_number_is_a_multiple_as_it_is_written(number: float, step: float, is_multiple: bool) -> None:
    try:
        assert fits(number, {"multipleOf": step}) is is_multiple
    except UnusableSchema:
        pytest.fail("every number can be computed with")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", ["2026-02-28"], ["2026-02-30", "28.2.2026", "20260228", "2026-02-28T00:00:00Z"]),
        ("date-time", ["2026-02-28T10:00:00Z", "2026-02-28t10:00:00.5+02:00"], ["2026-02-28T10:00:00", " 2026-02-28"]),
        ("time", ["10:00:00Z", "10:00:00.5+02:00"], ["10:00", "25:00:00Z"]),
        ("email", ["a@b.example"], ["a", "a@", "a b@c", "a@b@c"]),
        ("uri", ["https://a.example/ü?q=1", "mailto:a@b"], ["a.example", "https://a b", "http://[::1", "/a"]),
        ("uuid", ["01890000-0000-7000-8000-00000000000A"], ["01890000-0000-7000-8000", "no"]),
    ],
)
def test_formats_are_checked(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in [*good, *bad] if fits(text, {"format": name})] == good
    assert fits(1, {"format": name})


def test_a_format_nobody_knows_is_left_to_who_reads_the_value() -> None:
    assert fits("x", {"format": "textarea"})


@pytest.mark.parametrize("nested", [{"allOf": [{"$schema": "X", "pattern": "^(a+)+$"}]}, {"$schema": "X", "not": {}}])
def test_a_schema_that_names_its_dialect_is_checked_in_the_same_way(nested: JsonObject) -> None:
    dialect = "https://json-schema.org/draft/2020-12/schema"
    inner = {**nested, "$schema": dialect}
    if "allOf" in nested:
        inner["allOf"] = [{**nested["allOf"][0], "$schema": dialect}]
    began = process_time()
    assert not fits("a" * 50 + "!", inner)
    tree: JsonObject = {"$schema": dialect, "pattern": "^(a+)+$", "properties": {"c": {"$ref": "#"}}}
    assert not fits({"c": "a" * 50 + "!"}, tree)
    assert process_time() - began < LONG


def test_nothing_fits_where_the_schema_is_false() -> None:
    schema: JsonObject = {"properties": {"a": False, "b": {"not": {"type": "string"}}}}
    assert [error.message for error in errors_of({"a": 1}, schema, most=5)] == ["nothing is allowed here"]
    assert [error.absolute_path[0] for error in errors_of({"b": "x"}, schema, most=5)] == ["b"]
    assert fits({"b": 1}, schema)


def test_items_that_nothing_looks_at_are_refused_where_the_schema_wants_that() -> None:
    schema: JsonObject = {"prefixItems": [{"type": "string"}], "unevaluatedItems": False}
    assert fits(["a"], schema)
    assert not fits(["a", 1], schema)
