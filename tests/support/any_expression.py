"""Expressions at random, from the language's own grammar and from none, and what must hold for each of them."""

import json
import math
from typing import NamedTuple

from hypothesis import strategies as st

from app.definition.errors import ExpressionError
from app.definition.expressions import FILTERS, TESTS, evaluate, references, syntax_problems
from app.definition.limits import MAX_OPERATIONS, MAX_RESULT, Budget
from app.definition.values import measure
from app.json import Json, JsonObject

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 120),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["", "a", "Ada Lovelace", "2030-01-31T09:00:00Z", "3d", "YYYY-MM-DD", "EUR", "(a|b)+", "a.b[0]"]),
    st.sampled_from(["9" * 5_000, "1e400", "-0", "ß", "İ", "ﷺ", "\u0301", "[[1]]", '{"a": NaN}', "QWRh", "%", "\\1"]),
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "n"]), inner, max_size=3),
    max_leaves=12,
)
CONTEXTS: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {
        "trigger": VALUES,
        "items": st.lists(VALUES, max_size=6),
        "vars": st.fixed_dictionaries({"a": VALUES, "b": VALUES}),
    }
)


def _written(value: Json) -> str:
    """A value as a constant of the language."""
    return json.dumps(value).replace("{%", "{ %").replace("}}", "} }").replace("{{", "{ {").replace("{#", "{ #")


_NAMES = [
    "trigger",
    "trigger.a",
    "trigger['b']",
    "items",
    "items[0]",
    "items[-1].a",
    "vars.a",
    "vars.b",
    "vars",
    "gone",
]
_OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
_ATOMS = st.sampled_from(_NAMES) | _SCALARS.map(_written) | st.sampled_from(["'a'", "'n'", "2", "range(3)", "[]"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(_OPERATORS), inner),
        st.builds("({} | {})".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({} | {}({}))".format, inner, st.sampled_from(sorted(FILTERS)), some),
        st.builds("({} | map('{}', {}))".format, inner, st.sampled_from(sorted(FILTERS)), inner),
        st.builds("({} | select('{}', {}))".format, inner, st.sampled_from(sorted(TESTS)), inner),
        st.builds("({} | {}(attribute={}))".format, inner, st.sampled_from(["map", "sort", "sum", "unique"]), inner),
        st.builds("({} is {})".format, inner, st.sampled_from([name for name in TESTS if name.isalpha()])),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds("({}).{}".format, inner, st.sampled_from(["a", "b", "__class__", "items"])),
        st.builds("[{}]".format, some),
        st.builds("{{'a': {}, {}: 1}}".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("range({})".format, some),
    )


EXPRESSIONS = st.recursive(_ATOMS, _larger, max_leaves=8)
TEMPLATES = st.one_of(
    EXPRESSIONS.map("{{{{ {} }}}}".format),
    st.builds("{}{{{{ {} }}}} {{{{- {} }}}}".format, st.text("ab \n", max_size=5), EXPRESSIONS, EXPRESSIONS),
    st.builds("{{% if {} %}}{{{{ {} }}}}{{% else %}}x{{% endif %}}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("{{% for x in {} %}}{{{{ x }}}}{{{{ {} }}}}{{% endfor %}}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("{{% set gone = {} %}}{{{{ {} }}}}".format, EXPRESSIONS, EXPRESSIONS),
)
_PIECES = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "|",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "\\",
    "-",
    "a",
    "1",
    ".",
    ",",
]
_PIECES += [
    " if ",
    " for ",
    " in ",
    " is ",
    "else",
    "endif",
    "endfor",
    "set",
    "range",
    "default",
    "\n",
    "~",
    "**",
    "\x00",
    "ä",
]
TEXTS = st.text() | st.lists(st.sampled_from(_PIECES), max_size=40).map("".join) | TEMPLATES.map(lambda text: text[:-3])


class Outcome(NamedTuple):
    """What an evaluation came to: its value as JSON with the types kept apart, or its error."""

    value: str | None
    error: str | None


def check(template: str, context: JsonObject) -> Outcome:
    """Evaluate a template twice. Raises AssertionError, or whatever is no error of the language, when it does harm."""
    before = json.dumps(context)
    for reference in references(template):
        assert reference.root
    syntax_problems(template)
    outcome = _outcome(template, context)
    assert outcome == _outcome(template, context), "the same expression gives something else the second time"
    assert json.dumps(context) == before, "the context was changed"
    return outcome


def _outcome(template: str, context: JsonObject) -> Outcome:
    budget = Budget(MAX_OPERATIONS)
    try:
        value = evaluate(template, context, budget=budget)
    except ExpressionError as error:
        told = str(error)
        assert 0 < len(told) < 2_000
        return Outcome(None, told)
    assert budget.operations >= 0
    _require_json(value)
    assert measure(value, Budget()) <= MAX_RESULT or value is context
    return Outcome(json.dumps(value), None)


def _require_json(value: Json) -> None:
    assert type(value) in (type(None), bool, int, float, str, list, dict), type(value)
    if isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for part in value:
            _require_json(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            assert type(key) is str
            _require_json(part)
