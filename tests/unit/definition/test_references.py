"""What an expression refers to, read without evaluating it."""

import pytest

from app.definition.expressions import Reference, references, syntax_problems
from app.json import Json


def named(template: Json) -> list[tuple[str, tuple[str | int, ...], bool]]:
    return [(reference.root, reference.path, reference.guarded) for reference in references(template)]


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("plain", []),
        ("{{ 1 + 2 }}", []),
        ("{{ trigger }}", [("trigger", (), False)]),
        ("{{ steps.a.output[0]['x y'].b }}", [("steps", ("a", "output", 0, "x y", "b"), False)]),
        ("{{ steps.a.output.0.b }}", [("steps", ("a", "output", 0, "b"), False)]),
        ("{{ steps[vars.name].output }}", [("vars", ("name",), False), ("steps", (), False)]),
        ("{{ a[1:b] }}", [("b", (), False), ("a", (), False)]),
        ("{{ a.b | default(c.d) }}", [("a", ("b",), True), ("c", ("d",), False)]),
        ("{{ a.b | d }}", [("a", ("b",), True)]),
        ("{{ (a.b | upper) | default('') }}", [("a", ("b",), True)]),
        ("{{ a.b is defined and c is not undefined }}", [("a", ("b",), True), ("c", (), True)]),
        (
            "{{ a.b.c if a.b is defined else a.x }}",
            [("a", ("b", "c"), True), ("a", ("b",), True), ("a", ("x",), False)],
        ),
        ("{% if a is defined %}{{ a.b }}{% endif %}", [("a", (), True), ("a", ("b",), True)]),
        ("{{ a.b is string }}", [("a", ("b",), False)]),
        ("{{ range(a) | map(attribute=b) }}", [("a", (), False), ("b", (), False)]),
        ("{{ [a, {'k': b}, c if d else e] }}", [(name, (), False) for name in "abdce"]),
        (
            "{% for x in a %}{{ x.y }}{{ loop.index }}{{ b }}{% else %}{{ x }}{% endfor %}",
            [("a", (), False), ("b", (), False), ("x", (), False)],
        ),
        (
            "{% for k, v in a if v > c %}{{ k }}{% endfor %}{{ k }}",
            [("a", (), False), ("c", (), False), ("k", (), False)],
        ),
        ("{{ y }}{% set y = a %}{{ y }}", [("y", (), False), ("a", (), False)]),
        ("{% if a %}{{ b }}{% elif c %}{{ d }}{% else %}{{ e }}{% endif %}", [(name, (), False) for name in "abcde"]),
        ("{{ broken", []),
    ],
)
def test_references_of_a_template(template: str, found: list[tuple[str, tuple[str | int, ...], bool]]) -> None:
    assert sorted(named(template), key=str) == sorted(found, key=str)


def test_references_of_a_value_say_where_they_stand() -> None:
    value = {"a": ["{{ x.y }}", {"b": "{{ z }}"}], "c": 5}
    assert references(value) == [
        Reference("x", ("y",), False, ("a", 0)),
        Reference("z", (), False, ("a", 1, "b")),
    ]


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ("{{ a | uper }}", "unknown filter 'uper'", "did you mean 'upper'?"),
        ("{{ a is sting }}", "unknown test 'sting'", "did you mean 'string'?"),
        ("{{ rnge(3) }}", "unknown function 'rnge'", "did you mean 'range'?"),
        ("{{ upper(a) }}", "unknown function 'upper'", "it is a filter: `value | upper`"),
        ("{{ a | map('uper') }}", "unknown filter 'uper'", "did you mean 'upper'?"),
        ("{{ a | select('evn') }}", "unknown test 'evn'", "did you mean 'even'?"),
        ("{{ a | rejectattr('x', 'evn') }}", "unknown test 'evn'", "did you mean 'even'?"),
        ("{{ a", "cannot be read: ", "every {{ needs its }}"),
        ("{{ trigger.a || 'b' }}", "cannot be read: ", "write `or`, or `| default(...)`"),
        ("{{ trigger.a && vars.b }}", "cannot be read: ", "write `and`"),
        ("{{ !trigger.a }}", "cannot be read: ", "write `not`"),
        ("{% frob %}", "cannot be read: Encountered unknown tag 'frob'", "tags are if"),
        ("{% include 'x' %}", "{% include %} is not part of the language", ""),
        ("{% if a | uper %}{% endif %}", "unknown filter 'uper'", ""),
    ],
)
def test_what_does_not_exist_is_found_without_evaluating(template: str, message: str, hint: str) -> None:
    found = syntax_problems({"x": [template]})
    assert len(found) == 1
    assert found[0][0] == ("x", 0)
    assert message in found[0][1]
    assert hint in found[0][2]


def test_several_problems_of_one_text_are_all_found() -> None:
    assert [message for _place, message, _hint in syntax_problems("{{ a | uper | lowr }}{{ b is sting }}")] == [
        "unknown filter 'lowr'",
        "unknown filter 'uper'",
        "unknown test 'sting'",
    ]
    assert syntax_problems({"a": "{{ b | upper }}", "c": "text"}) == []
