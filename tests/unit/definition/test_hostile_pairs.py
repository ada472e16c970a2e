"""Attacks on single operations: each ends soon, with a value or an error of the language, and takes little room."""

import time
import tracemalloc

import pytest

from app.definition.errors import ExpressionError
from app.definition.expressions import evaluate
from app.definition.filters import FILTERS
from app.definition.filters.base import Filter
from app.definition.limits import MAX_OPERATIONS, Budget
from app.definition.predicates import TESTS
from app.json import Json
from tests.support.bounds import SOON
from tests.unit.definition.hostile_pairs import NOW, PAIRS


def attempted(template: str, data: Json) -> str:
    """What was told of it, empty when there was a value."""
    try:
        evaluate(template, {"x": data})
    except ExpressionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", PAIRS)
def test_it_ends_soon(name: str) -> None:
    started = time.thread_time()
    told = attempted(*PAIRS[name])
    assert time.thread_time() - started < SOON
    assert len(told) < 1_000


ROOMY = ["a long open quote", "an escape deep below", "indents of deep values", "groups that become thirty gigabytes"]
ROOMY += ["groups inside groups", "hexadecimal digits", "names of two letters", "equal hashes"]


@pytest.mark.parametrize("name", ROOMY)
def test_it_takes_little_room(name: str) -> None:
    tracemalloc.start()
    try:
        attempted(*PAIRS[name])
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


SMALL: dict[str, tuple[Json, list[Json]]] = {
    "replace": ("a", ["a", "b"]),
    "regex_replace": ("a", ["a", "b"]),
    "regex_search": ("a", ["a"]),
    "matches": ("a", ["a"]),
    "phone": ("+4930123456", []),
    "date_format": (NOW, ["YYYY-MM-DD"]),
    "date_add": (NOW, ["1d"]),
    "date_diff": (NOW, [NOW]),
    "batch": ([1], [1]),
    "from_json": ("{}", []),
    "base64_decode": ("QUJD", []),
    "int": ("5", []),
    "float": ("5.5", []),
    "divisibleby": (4, [2]),
    "in": ("a", ["ab"]),
    "map": ([1], ["abs"]),
    "selectattr": ([{"a": 1}], ["a"]),
    "rejectattr": ([{"a": 1}], ["a"]),
}
GUESSES: list[tuple[Json, list[Json]]] = [("a", []), (1.5, []), (2, []), ([1], []), ({"a": 1}, []), (1, [2])]


class Metered:
    """A run with a budget of its own."""

    def __init__(self) -> None:
        self.budget = Budget(10**9, 10**9)

    def apply_filter(self, name: str, value: Json, args: list[Json], named: dict[str, Json]) -> Json:
        return FILTERS[name](self, value, args, named)

    def apply_test(self, name: str, value: Json, args: list[Json]) -> bool:
        return bool(TESTS[name](self, value, args, {}))


def fitting(name: str, entry: Filter) -> tuple[Json, list[Json]]:
    """A small value and arguments it takes."""
    for value, args in [SMALL[name]] if name in SMALL else GUESSES:
        try:
            entry(Metered(), value, args, {})
        except ExpressionError:
            continue
        return value, args
    raise AssertionError(f"give {name} a value in SMALL")


@pytest.mark.parametrize(
    ("name", "entry"), [*FILTERS.items(), *TESTS.items()], ids=[*FILTERS, *(f"is {name}" for name in TESTS)]
)
def test_a_call_costs_what_it_takes(name: str, entry: Filter) -> None:
    value, args = fitting(name, entry)
    run = Metered()
    entry(run, value, args, {})
    before = run.budget.operations
    started = time.thread_time()
    for _ in range(1_000):
        entry(run, value, args, {})
    taken = time.thread_time() - started
    # `map` and `select` take a unit more for each element.
    units = before - run.budget.operations + 1_000
    assert units >= 1_000
    assert taken / units < SOON / MAX_OPERATIONS


def test_a_text_is_paid_for_each_time_it_is_read() -> None:
    text = "b" * 128_000
    for form in ("is lower", "is upper", "| float(0)", "| trim", "| trim('a')", "| split('x')", "| phone | default(1)"):
        budget = Budget()
        try:
            evaluate(f"{{{{ x {form} }}}}", {"x": text}, budget=budget)
        except ExpressionError:
            assert form.startswith("| phone")
        assert MAX_OPERATIONS - budget.operations >= 1_000, form


def test_prices_follow_from_values_alone() -> None:
    template = "{{ ['a1', 'b2'] | map('regex_search', '[a-z]([0-9])') | join }}{{ '2030-01-31' | date_format('Z', z) }}"
    spent = []
    for _ in range(3):
        budget = Budget()
        evaluate(template, {"z": "Asia/Kathmandu"}, budget=budget)
        spent.append((budget.operations, budget.later, budget.text))
    assert len(set(spent)) == 1
