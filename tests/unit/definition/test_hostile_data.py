"""Data sent to do harm: honest expressions over megabytes, wide and deep values end soon, in little room."""

import json
import statistics
import time
import tracemalloc
from contextlib import suppress

import pytest

from app.definition import conditions, items
from app.definition.errors import ExpressionError
from app.definition.expressions import evaluate
from app.definition.limits import MAX_ITEM_OPERATIONS, MAX_OPERATIONS, Budget
from app.json import Json
from tests.support.bounds import SOON, STEP_SOON

MEGABYTE = 1_000_000
DEEP: Json = 1
for _ in range(5_000):
    DEEP = [DEEP]

DATA: dict[str, Json] = {
    "text": "ab" * (MEGABYTE // 2),
    "digits": "9" * MEGABYTE,
    "spaces": " " * MEGABYTE,
    "lines": "a\n" * (MEGABYTE // 2),
    "widening": "\u0390" * (MEGABYTE // 2),
    "ligatures": "ﷺ" * (MEGABYTE // 5),
    "marks": "a" + "\u0301" * MEGABYTE,
    "brackets": "[" * MEGABYTE,
    "closed": "[" * 50_000 + "]" * 50_000,
    "zeros": f"[{'0,' * 300_000}0]",
    "objects_written": f"[{'{},' * 300_000}{{}}]",
    "strings_written": json.dumps(["a,b"] * 100_000),
    "digits_written": f"[{'9' * 900_000}]",
    "escapes": '"' + "\\u0041" * 150_000 + '"',
    "encoded": "QUJD" * (MEGABYTE // 4),
    "numbers": list(range(200_000)),
    "backwards": list(range(200_000, 0, -1)),
    "fractions": [number * 1.1 for number in range(200_000)],
    "texts": [str(number) for number in range(200_000)],
    "long_texts": ["ab" * 50_000 + str(number) for number in range(10)] * 1_000,
    "objects": [{"id": number % 7, "n": {"x": number}} for number in range(100_000)],
    "lists": [[number] for number in range(100_000)],
    "wide": {str(number): number for number in range(200_000)},
    "long_keys": {"k" * 100_000 + str(number): number for number in range(10)},
    "deep": DEEP,
    "large_number": 10**1_200,
    "huge_number": 10**20_000,
    "exponent": "1e400",
}

FORMS = """
x | upper; x | lower; x | title; x | capitalize; x | trim; x | trim(x); x | string; x | length; x | slug; x | slug(x)
x | first; x | last; x | reverse; x | list; x | json; x | json(8); x | from_json; x | sha256; x | base64
x | base64_decode; x | urlencode; x | escape; x | phone; x | int; x | float; x | int(x); x | number(2); x | currency
x | round(2); x | abs; x | keys; x | values; x | items; x | merge(x); x | type; x | sort; x | sort(true)
x | sort(attribute='n.x'); x | unique; x | unique(attribute='id'); x | min; x | max; x | max(attribute='n.x'); x | sum
x | sum(attribute='id'); x | join(','); x | join(x); x | join(',', attribute='id'); x | batch(1); x | batch(100000, x)
x | map('string'); x | map('upper'); x | map('json'); x | map('length'); x | map('sort'); x | map('from_json')
x | map(attribute='n.x'); x | map(attribute='gone', default=0); x | select; x | select('odd'); x | select('in', x)
x | select('matches', 'a+$'); x | reject('eq', x); x | selectattr('n.x', '>', 5); x | rejectattr('gone', 'defined')
x | replace('a', 'b'); x | replace('', 'b'); x | replace('b', ''); x | replace(x, 'a'); 'a' | replace('a', x)
x | split(''); x | split; x | split('a'); x | split('a', 1); x | split(x); x | truncate(5); x | truncate(5, x)
x | regex_replace('a', 'b'); x | regex_replace('', ''); x | regex_replace('(a+)+$', 'b'); x | regex_replace('.*', x)
x | regex_replace('(?i)[^a]*', ''); x | regex_search('(a|aa)+$'); x | regex_search('(.*)(.*)(.*)(.*)[0-9]$')
'a' | regex_search(x); 'a' | regex_replace('a', x); x | date_format; x | date_add('1d'); x | date_diff(x)
'2030-01-31' | date_format(x); '2030-01-31' | date_format('D', x); '2030-01-31' | date_add(x); x | default(1)
x ~ 1; x ~ x; x + x; x * 2; x * x; 2 ** x; x ** x; x // 7; x % 7; x / 7; -x; x[::2]; x[::-1]; x[1]; x[x]; x == x
x < x; x in x; 'zz' in x; 5 in x; x is string; x is even; x is lower; x is upper; x is matches('(a|b)*c'); x is in(x)
x is empty; x is divisibleby(3); not x; [x] * 1000; [x, x, x]; [x, x] | unique; [x, x] | sort; {'a': x} | json; {x: 1}
range(x); x.gone; x.gone | default(1); x.gone is defined; gone[x]; 1 if x else 2; x and x; x | map(x); x | select(x)
x | map(attribute=x); 1 | currency(x); 1 | number(2, x); '5' | phone(x); [x] | join(x); [[1]] | map('join', x)
"""
EXPRESSIONS = [f"{{{{ {form.strip()} }}}}" for form in FORMS.replace("\n", ";").split(";") if form.strip()]
EXPRESSIONS += [
    "{% for a in x %}{% endfor %}",
    "{% for a in x %}{{ a }}{% endfor %}",
    "{% for a in x if a == 5 %}{{ a }}{% endfor %}",
    "{% for a in x %}{% for b in x %}{{ a ~ b }}{% endfor %}{% endfor %}",
    "{% if x == x %}{{ x }}{{ x }}{% endif %}",
    "{% set y = x %}{{ y }}{{ y }}{{ y }}",
]


def ended(template: str, data: Json) -> tuple[float, int]:
    """Milliseconds of processor time and units of work until there was a value or an error of the language."""
    budget = Budget()
    started = time.thread_time()
    try:
        evaluate(template, {"x": data}, budget=budget)
    except ExpressionError as error:
        told = str(error)
        assert 0 < len(told) < 2_000
    return (time.thread_time() - started) * 1_000, MAX_OPERATIONS - budget.operations


@pytest.mark.parametrize("name", DATA)
def test_whatever_is_done_with_it_ends_soon(name: str) -> None:
    taken = {template: ended(template, DATA[name])[0] for template in EXPRESSIONS}
    slowest = max(taken, key=lambda template: taken[template])
    assert taken[slowest] < SOON * 1_000, slowest
    assert statistics.median(taken.values()) < 20


ROOMY = ["text", "ligatures", "closed", "objects_written", "numbers", "lists"]


@pytest.mark.parametrize("name", ROOMY)
def test_it_takes_little_room(name: str) -> None:
    forms = [
        f"{{{{ x | {form} }}}}" for form in ("upper", "title", "slug", "json", "from_json", "sort", "unique", "list")
    ]
    forms += [f"{{{{ x | {form} }}}}" for form in ("split('')", "split('a')", "replace('a', 'bbb')", "map('json')")]
    forms += ["{{ x ~ x ~ x }}", "{{ x * 9 }}", "{{ [x] * 99999 }}", "{{ x | merge(x, x, x) }}", "{{ x + x + x }}"]
    forms += ["{{ x | urlencode }}", "{{ x | escape }}", "{{ x | batch(1) }}", "{{ x | sort(attribute='n.x') }}"]
    for template in forms:
        tracemalloc.start()
        try:
            ended(template, DATA[name])
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20 * MEGABYTE, template


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("operator", ["equals", "contains", "starts_with", "in", "matches", "before"])
def test_conditions_over_it_end_soon(name: str, operator: str) -> None:
    for field, value in (("x", "{{ x }}"), ("x", "a"), ("y", "{{ x }}")):
        condition = {"field": field, "operator": operator, "value": value}
        started = time.thread_time()
        with suppress(ExpressionError):
            conditions.evaluate(condition, {"x": DATA[name], "y": "a"})
        assert time.thread_time() - started < SOON


def test_a_budget_is_for_all_fields_of_a_step_together() -> None:
    heavy = "{% for a in range(70) %}{% for b in range(70) %}{{ a * b }}{% endfor %}{% endfor %}"
    mapping = {f"field_{number}": heavy for number in range(5_000)}
    started = time.thread_time()
    with pytest.raises(ExpressionError, match="takes too much work"):
        evaluate(mapping, {})
    assert time.thread_time() - started < SOON


def test_a_budget_is_for_all_parts_of_a_condition_together() -> None:
    member = {"field": "x", "operator": "matches", "value": "(a|b)*c"}
    started = time.thread_time()
    with pytest.raises(ExpressionError, match="takes too much work"):
        conditions.evaluate({"all": [{"not": member}] * 200}, {"x": "ab" * 10_000})
    assert time.thread_time() - started < SOON


MANY = list(range(120_000))
FILTERED: dict[str, tuple[Json, Json]] = {
    "numbers": (MANY, {"field": "item", "operator": "greater_than", "value": 5}),
    "dates": (
        ["2030-01-31T09:00:00Z"] * 80_000,
        {"field": "item", "operator": "before", "value": "2029-01-01T00:00:00Z"},
    ),
    "paths that lead nowhere": (MANY, {"field": "item.a.b", "operator": "exists"}),
    "groups of constants": (MANY, {"any": [{"all": [{"not": True}]}] * 50}),
    "groups of nothing": (MANY, {"any": [{"any": [{"any": [{"all": [{"not": {"any": []}}]}]}]}]}),
    "constants": (MANY, {"any": [False] * 150}),
    "a list of another type": (MANY, {"field": "item", "operator": "in", "value": ["x"] * 5_000}),
    "a large value": (MANY, {"field": "item", "operator": "equals", "value": {"a": ["x"] * 5_000}}),
    "a deep value": (MANY, {"field": "item", "operator": "equals", "value": [[[0]] * 5_000]}),
    "long texts": (["a" * 900_000] * 50_000, {"field": "item", "operator": "ends_with", "value": "a" * 900_000}),
    "expressions": (MANY, "{{ item > 5 and item is odd }}"),
}


@pytest.mark.parametrize("name", FILTERED)
def test_a_filter_over_many_items_ends_soon(name: str) -> None:
    values, where = FILTERED[name]
    started = time.thread_time()
    with suppress(ExpressionError):
        items.filter_items(values, where, {"trigger": {}}, budget=Budget(MAX_ITEM_OPERATIONS))
    assert time.thread_time() - started < STEP_SOON


AGGREGATED: dict[str, tuple[Json, str, str | None]] = {
    "equal hashes": ([number * ((1 << 61) - 1) for number in range(1, 8_000)], "unique", None),
    "groups": ([{"a": 1.5}] * 100_000, "group_by", "a"),
    "groups of many digits": ([{"a": 10**4_200 + number} for number in range(3_000)], "group_by", "a"),
    "groups of too many digits": ([{"a": 10**20_000}] * 400, "group_by", "a"),
    "long paths": ([{"a": 1}] * 100_000, "count", ".".join("a" * 400)),
    "sums": ([1.5] * 120_000, "sum", None),
    "long texts": (["a" * 100_000 + str(number % 9) for number in range(1_000)] * 9, "unique", None),
}


@pytest.mark.parametrize("name", AGGREGATED)
def test_an_aggregate_over_many_items_ends_soon(name: str) -> None:
    values, operation, field = AGGREGATED[name]
    started = time.thread_time()
    with suppress(ExpressionError):
        items.aggregate(values, operation, field, budget=Budget(MAX_ITEM_OPERATIONS))
    assert time.thread_time() - started < STEP_SOON


def test_forty_thousand_items_are_filtered() -> None:
    where = {"field": "item", "operator": "greater_than_or_equals", "value": 10_000}
    assert items.filter_items(list(range(40_000)), where, {})["count"] == 30_000
