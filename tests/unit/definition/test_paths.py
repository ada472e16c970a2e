"""Paths: reading, looking up, writing."""

import pytest

from app.definition.errors import ExpressionError, MissingError
from app.definition.paths import format_path, lookup, parse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a[0].b[-1]", ("a", 0, "b", -1)),
        ("a['x y'].b", ("a", "x y", "b")),
        ('a["x.y"]', ("a", "x.y")),
        ("[0].a", (0, "a")),
        ("['x y']", ("x y",)),
        ("a.0.b", ("a", "0", "b")),
        ("custom-fields.größe.$id", ("custom-fields", "größe", "$id")),
    ],
)
def test_a_path_is_read(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text", ["", ".", ".a", "a.", "a..b", "a[", "a[x]", "a]b", "a b", "{{ a }}", "a[0]b", "a" * 1_001]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="is no path"):
        parse_path(text)


def test_a_path_is_looked_up() -> None:
    value = {"a": [{"b": 1}, {"c": {"0": "zero"}}]}
    assert lookup(value, ("a", 0, "b")) == 1
    assert lookup(value, ("a", "0", "b")) == 1
    assert lookup(value, ("a", -1, "c", 0)) == "zero"
    assert lookup(value, ()) is value
    for missing in (("a", 2), ("a", "b"), ("x",), ("a", 0, "b", "c")):
        with pytest.raises(MissingError):
            lookup(value, missing)


def test_a_missing_part_says_how_far_the_path_leads() -> None:
    with pytest.raises(MissingError, match=r"a\[0\] has no 'x'"):
        lookup({"a": [{}]}, ("a", 0, "x"))


def test_a_path_is_written() -> None:
    assert format_path(("steps", 2, "branches", 0, "steps", 1)) == "steps[2].branches[0].steps[1]"
    assert format_path(("a", "x.y", "b")) == 'a["x.y"].b'
    assert format_path(()) == ""
