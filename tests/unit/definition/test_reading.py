"""Text to values: YAML 1.2 and JSON, and where a text stops making sense."""

import pytest

from app.definition.problems import DefinitionInvalid
from app.definition.reading import read_text
from app.json import Json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        (" [1]", [1]),
        ("a: 1\nb: [x, {c: d}]", {"a": 1, "b": ["x", {"c": "d"}]}),
        ("a: yes\nb: no\nc: on\nd: off", {"a": "yes", "b": "no", "c": "on", "d": "off"}),
        ("a: true\nb: False\nc: ~\nd:\ne: null", {"a": True, "b": False, "c": None, "d": None, "e": None}),
        (
            "a: 09:30\nb: 2030-01-31\nc: 2030-01-31T09:00:00Z",
            {"a": "09:30", "b": "2030-01-31", "c": "2030-01-31T09:00:00Z"},
        ),
        ("a: 017\nb: 0o17\nc: 0x1f\nd: -5\ne: +5", {"a": 17, "b": 15, "c": 31, "d": -5, "e": 5}),
        ("a: 1.5\nb: 1e3\nc: .5\nd: 1_000", {"a": 1.5, "b": 1000.0, "c": 0.5, "d": "1_000"}),
        ("a: 123456789012345678901234567890", {"a": 123456789012345678901234567890}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ('a: "{{ trigger.x }}"\nb: |\n  {{ y }}\n', {"a": "{{ trigger.x }}", "b": "{{ y }}\n"}),
        ("<<: x", {"<<": "x"}),
        ("", None),
        ("just text", "just text"),
    ],
)
def test_a_text_is_read(text: str, value: Json) -> None:
    assert read_text(text) == value


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('{"a": 1,}', "line 1, column ", "is read as JSON"),
        ('{"a": 1\n "b": 2}', "line 2, column 2: Expecting ',' delimiter", "is read as JSON"),
        ("{a: 1}", "line 1, column 2: ", "is read as JSON"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice", ""),
        ('{"a": NaN}', "NaN is no JSON", ""),
        ('{"a": 1e999}', "is no JSON value", ""),
        ('{"a": ' + "9" * 5_000 + "}", "too many digits", ""),
        ("[" * 5_000 + "]" * 5_000, "nested more than 100 levels", ""),
        ("[" * 200 + "]" * 200, "nested more than 100 levels", ""),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands twice", ""),
        ("a: [1", "line 2, column 1: ", "quote texts"),
        ("a: {{ x }}", "line 1, column 5: a key is no text: quote the expression", ""),
        ("\ta: 1", "line 1, column 1: ", "indent with spaces"),
        ("a: %x", "line 1, column 4: ", "quote texts that start with"),
        ("a: b: c", "line 1, column 5: ", "quote texts"),
        ("1: x", "line 1, column 1: a key is no text: quote it", ""),
        ("true: x", "a key is no text: quote it", ""),
        ("[1]: x", "", ""),
        ("a: *nowhere", "line 1, column 4: ", ""),
        ("a: !!python/object:os.system x", "line 1, column 4: the tag !!python/object:os.system", ""),
        ("a: !!binary aGk=", "the tag !!binary is not part", ""),
        ("a: " + "9" * 5_000, "line 1, column 4: the number has too many digits", ""),
        ("a: 1e999", "line 1, column 4: the number is too large", ""),
        ("--- 1\n--- 2", "more than one YAML document", "keep one"),
        ("a: \x01", "unreadable YAML", ""),
        ("&a [*a]", "recursive", ""),
        ("a: " + "[" * 5_000, "", ""),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{k}: &{k} [{', '.join([f'*{p}'] * 10)}]\n" for p, k in zip("abcde", "bcdef", strict=True)),
            "more than 100,000 values",
            "",
        ),
        ('{"a": "\\u0000"}', "a character that cannot be stored", ""),
        ('{"a": "\\ud800"}', "a character that cannot be stored", ""),
        ('a: "\\0"', "a character that cannot be stored", ""),
        ("x" * (2 * 1024 * 1024 + 1), "longer than 2 MiB", ""),
    ],
)
def test_a_text_that_cannot_be_read_says_where(text: str, message: str, hint: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_text(text)
    assert message in caught.value.problems[0].message
    assert hint in caught.value.problems[0].hint
