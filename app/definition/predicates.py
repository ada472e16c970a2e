"""The tests of the language (`x is string`), by name. `defined` and `undefined` are the evaluator's own."""

from app.definition.errors import ExpressionError
from app.definition.filters.base import Filter, Run, text
from app.definition.operations import ordered, pay_digits
from app.definition.patterns import search
from app.definition.values import contains, equal, is_number
from app.json import Json


def _integer(run: Run, value: Json, what: str) -> int:
    if type(value) is int:
        run.budget.pay(value.bit_length() >> 12)
        return value
    raise ExpressionError(f"`is {what}` needs an integer")


def divisible(run: Run, value: Json, divisor: Json) -> bool:
    if _integer(run, divisor, "divisibleby") == 0:
        raise ExpressionError("nothing is divisible by zero")
    pay_digits(_integer(run, value, "divisibleby"), divisor, run.budget)
    return bool(value % divisor == 0)


def _defined(there: bool) -> Filter:
    """The evaluator answers these itself. Here they stand for values that are there, and take no arguments."""
    name = "defined" if there else "undefined"
    return Filter(lambda run, value: there, f"It is {'' if there else 'not '}there.", name)


def _ordering(operator: str, symbol: str, description: str) -> Filter:
    def compare(run: Run, value: Json, other: Json) -> bool:
        return ordered(operator, value, other, run.budget)

    return Filter(compare, description, f"{symbol}(other)")


def _equal(run: Run, value: Json, other: Json) -> bool:
    return equal(value, other, run.budget)


_EQUAL = Filter(_equal, "It equals another value.", "equalto(other)")
_UNEQUAL = Filter(
    lambda run, value, other: not equal(value, other, run.budget), "It differs from another value.", "ne(other)"
)
_GREATER = _ordering("gt", "gt", "It is greater than another.")
_AT_LEAST = _ordering("gteq", "ge", "It is greater than another, or equals it.")
_LESS = _ordering("lt", "lt", "It is less than another.")
_AT_MOST = _ordering("lteq", "le", "It is less than another, or equals it.")


def _matches(run: Run, value: Json, pattern: Json) -> bool:
    from_value, expression = text(run, value, "matches"), text(run, pattern, "matches")
    return search(expression, from_value, run.budget) is not None


def _lower(run: Run, value: Json) -> bool:
    return text(run, value, "is lower").islower()


def _upper(run: Run, value: Json) -> bool:
    return text(run, value, "is upper").isupper()


TESTS: dict[str, Filter] = {
    "defined": _defined(True),
    "undefined": _defined(False),
    "none": Filter(lambda run, value: value is None, "It is null.", "none"),
    "null": Filter(lambda run, value: value is None, "It is null.", "null"),
    "string": Filter(lambda run, value: isinstance(value, str), "It is a string.", "string"),
    "number": Filter(lambda run, value: is_number(value), "It is a number; booleans are none.", "number"),
    "integer": Filter(lambda run, value: type(value) is int, "It is a number without a fraction.", "integer"),
    "float": Filter(lambda run, value: type(value) is float, "It is a number with a fraction.", "float"),
    "boolean": Filter(lambda run, value: isinstance(value, bool), "It is true or false.", "boolean"),
    "true": Filter(lambda run, value: value is True, "It is true.", "true"),
    "false": Filter(lambda run, value: value is False, "It is false.", "false"),
    "list": Filter(lambda run, value: isinstance(value, list), "It is a list.", "list"),
    "mapping": Filter(lambda run, value: isinstance(value, dict), "It is an object.", "mapping"),
    "object": Filter(lambda run, value: isinstance(value, dict), "It is an object.", "object"),
    "sequence": Filter(lambda run, value: isinstance(value, list | str), "It is a list or a string.", "sequence"),
    "iterable": Filter(lambda run, value: isinstance(value, list | str | dict), "It has parts.", "iterable"),
    "empty": Filter(lambda run, value: value is None or value in ("", [], {}), "It is null or has no parts.", "empty"),
    "even": Filter(lambda run, value: _integer(run, value, "even") % 2 == 0, "It is an even integer.", "even"),
    "odd": Filter(lambda run, value: _integer(run, value, "odd") % 2 == 1, "It is an odd integer.", "odd"),
    "divisibleby": Filter(divisible, "It is a multiple of an integer.", "divisibleby(number)"),
    "lower": Filter(
        lambda run, value: text(run, value, "is lower").islower(), "It has small letters and no capital ones.", "lower"
    ),
    "upper": Filter(
        lambda run, value: text(run, value, "is upper").isupper(), "It has capital letters and no small ones.", "upper"
    ),
    "in": Filter(lambda run, value, other: contains(other, value, run.budget), "It is in another value.", "in(other)"),
    "matches": Filter(_matches, "A regular expression (RE2) is found in it.", "matches(pattern)", price=5),
    "eq": _EQUAL,
    "equalto": _EQUAL,
    "==": _EQUAL,
    "ne": _UNEQUAL,
    "!=": _UNEQUAL,
    "gt": _GREATER,
    "greaterthan": _GREATER,
    ">": _GREATER,
    "ge": _AT_LEAST,
    ">=": _AT_LEAST,
    "lt": _LESS,
    "lessthan": _LESS,
    "<": _LESS,
    "le": _AT_MOST,
    "<=": _AT_MOST,
}
"""Name -> test with its one-line description. Comparisons also go by their operator, for `select('>', 5)`."""
