"""Regular expressions: RE2's, bounded, with groups in replacements."""

import pytest

from app.definition.errors import ExpressionError, LimitError
from app.definition.limits import Budget
from app.definition.patterns import compiled, search, substitute


def test_a_pattern_is_found_anywhere() -> None:
    found = search("b+", "aabbcc", Budget())
    assert found is not None
    assert found.group(0) == "bb"
    assert search("^b", "ab", Budget()) is None


@pytest.mark.parametrize("pattern", ["(", "[", "(?=a)", "(?<!a)b", r"(a)\1", "*a", "\ud800", "a{1001}"])
def test_what_re2_does_not_read_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError, match="is no regular expression") as caught:
        compiled(pattern)
    assert "look-ahead" in caught.value.hint


def test_a_pattern_that_is_too_large_is_refused() -> None:
    with pytest.raises(LimitError, match=r"longer than 1,000 characters"):
        compiled("a" * 1_001)
    with pytest.raises(ExpressionError, match="is no regular expression"):
        compiled("((((a{10}){10}){10}){10}){10}")


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "most", "result"),
    [
        ("a", "b", "aXa", 0, "bXb"),
        ("a", "b", "aXa", 1, "bXa"),
        ("", "-", "ab", 0, "-a-b-"),
        ("(a)(b)?", r"<\1|\2>", "ab a", 0, "<a|b> <a|>"),
        ("(?P<x>ü)", r"\g<x>\g<1>\\", "ü", 0, "üü\\"),
        ("a", r"\n\q", "a", 0, r"\n\q"),
        ("ä+", "€", "xääy", 0, "x€y"),
    ],
)
def test_matches_are_replaced(pattern: str, replacement: str, text: str, most: int, result: str) -> None:
    assert substitute(pattern, replacement, text, most, Budget()) == result


def test_a_group_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="has no group '3'"):
        substitute("(a)", r"\3", "a", 0, Budget())
