"""Every test of the language (`x is string`)."""

import pytest

from app.definition.expressions import TESTS, ExpressionError, evaluate

HOLDS = {
    "defined": "1 is defined",
    "undefined": "missing is undefined",
    "none": "none is none",
    "null": "none is null",
    "string": "'a' is string",
    "number": "1.5 is number",
    "integer": "1 is integer",
    "float": "1.0 is float",
    "boolean": "false is boolean",
    "true": "true is true",
    "false": "false is false",
    "list": "[1] is list",
    "mapping": "{} is mapping",
    "object": "{} is object",
    "sequence": "'a' is sequence",
    "iterable": "{} is iterable",
    "empty": "[] is empty",
    "even": "4 is even",
    "odd": "-3 is odd",
    "divisibleby": "9 is divisibleby(3)",
    "lower": "'a1' is lower",
    "upper": "'A1' is upper",
    "in": "1 is in([1, 2])",
    "matches": "'order-4711' is matches('[0-9]{4}')",
    "eq": "1 is eq(1.0)",
    "equalto": "'a' is equalto('a')",
    "==": "[1] | select('==', 1) == [1]",
    "ne": "1 is ne(2)",
    "!=": "[1] | select('!=', 2) == [1]",
    "gt": "2 is gt(1)",
    "greaterthan": "2 is greaterthan(1)",
    ">": "[2] | select('>', 1) == [2]",
    "ge": "2 is ge(2)",
    ">=": "[2] | select('>=', 2) == [2]",
    "lt": "1 is lt(2)",
    "lessthan": "1 is lessthan(2)",
    "<": "[1] | select('<', 2) == [1]",
    "le": "1 is le(1)",
    "<=": "[1] | select('<=', 1) == [1]",
}


@pytest.mark.parametrize("expression", HOLDS.values(), ids=HOLDS.keys())
def test_it_holds(expression: str) -> None:
    assert evaluate(f"{{{{ {expression} }}}}", {}) is True


def test_every_test_is_tested_and_described() -> None:
    assert set(HOLDS) == set(TESTS)
    assert all(entry.description.endswith(".") for entry in TESTS.values())


@pytest.mark.parametrize(
    "expression",
    [
        "true is number",
        "1 is boolean",
        "1 is true",
        "1.0 is integer",
        "1 is float",
        "none is string",
        "[] is mapping",
        "{} is sequence",
        "5 is iterable",
        "0 is empty",
        "false is empty",
        "3 is even",
        "'a' is matches('^b')",
        "1 is not number",
    ],
)
def test_it_does_not_hold(expression: str) -> None:
    assert evaluate(f"{{{{ {expression} }}}}", {}) is False


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'a' is even", "`is even` needs an integer"),
        ("true is odd", "`is odd` needs an integer"),
        ("4 is divisibleby(0)", "divisible by zero"),
        ("4 is lower", "is lower needs a string"),
        ("1 is gt('a')", "cannot be compared"),
        ("1 is eq('1')", "cannot be compared"),
        ("'a' is matches('(')", "is no regular expression"),
        ("missing is string", "unknown name 'missing'"),
        ("1 is gt", "gt is used wrongly"),
    ],
)
def test_it_refuses(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(f"{{{{ {expression} }}}}", {})
    assert message in caught.value.message


@pytest.mark.parametrize("expression", ["x is defined(3)", "x is undefined(1)", "gone is defined(3)"])
def test_whether_a_name_is_there_takes_no_arguments(expression: str) -> None:
    with pytest.raises(ExpressionError, match="defined is used wrongly"):
        evaluate(f"{{{{ {expression} }}}}", {"x": 1})
