"""Definitions written to do harm are refused, or judged, in a moment: too many steps, too deep, too large, bombs."""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from app.definition import conditions
from app.definition.check import check
from app.definition.errors import ExpressionError
from app.definition.limits import MAX_DEFINITION_TOKENS
from app.definition.parse import parse, read_text
from app.definition.problems import DefinitionInvalid
from app.definition.syntax import parse as parse_template
from app.json import Json, JsonObject

HEAD = {"name": "Hostile", "trigger": {"type": "event", "event": "app.thing.happened"}}
STOP = {"id": "a", "type": "stop"}


def with_steps(*steps: Json, **more: Json) -> JsonObject:
    return {**HEAD, "steps": list(steps), **more}


def nested(levels: int) -> JsonObject:
    step: JsonObject = {"id": "s", "type": "stop"}
    for level in range(levels):
        step = {"id": f"s{level}", "type": "condition", "branches": [{"when": True, "steps": [step]}]}
    return step


def condition(levels: int) -> Json:
    made: Json = {"field": "trigger.a", "operator": "equals", "value": 1}
    for _ in range(levels):
        made = {"not": made}
    return made


def transform(mapping: Json) -> JsonObject:
    return {"id": "a", "type": "transform", "mapping": mapping}


def judged(document: Json) -> int:
    """How many problems there are."""
    try:
        return len(check(parse(document), actions={}))
    except DefinitionInvalid as invalid:
        return len(invalid.problems)


DENSE = "{% if false %}" + "{{ a }}" * 1_200 + "{% endif %}"

DOCUMENTS: dict[str, Callable[[], Json]] = {
    "ten thousand steps": lambda: with_steps(*({"id": f"s{n}", "type": "stop"} for n in range(10_000))),
    "ten thousand steps of one id": lambda: with_steps(*[STOP] * 10_000),
    "ten thousand steps of no kind": lambda: with_steps(*[{"id": "a", "type": "nothing"}] * 10_000),
    "ten thousand steps that are none": lambda: with_steps(*[5] * 10_000),
    "steps nested forty deep": lambda: with_steps(nested(40)),
    "steps nested a thousand deep": lambda: with_steps(nested(1_000)),
    "a condition nested a thousand deep": lambda: with_steps({**STOP, "when": condition(1_000)}),
    "a condition nested ninety deep": lambda: with_steps({**STOP, "when": condition(90)}),
    "a condition of ten thousand parts": lambda: with_steps({**STOP, "when": {"all": [condition(1)] * 10_000}}),
    "a thousand branches": lambda: with_steps(
        {"id": "a", "type": "parallel", "branches": [{"name": f"b{n}", "steps": [STOP]} for n in range(1_000)]}
    ),
    "a key of a megabyte": lambda: with_steps({**STOP, "k" * 1_000_000: 1}),
    "ten thousand unknown keys": lambda: with_steps({**STOP, **{f"key_{n}": 1 for n in range(10_000)}}),
    "a name of a megabyte": lambda: with_steps(STOP, name="n" * 1_000_000),
    "an id of a megabyte": lambda: with_steps({"id": "i" * 1_000_000, "type": "stop"}),
    "a kind of a megabyte": lambda: with_steps({"id": "a", "type": "t" * 1_000_000}),
    "a duration of a megabyte": lambda: with_steps({"id": "a", "type": "delay", "duration": "1h" * 500_000}),
    "a duration of digits": lambda: with_steps({"id": "a", "type": "delay", "duration": "9" * 1_000_000 + "s"}),
    "a pattern that is too large": lambda: with_steps(
        {**STOP, "when": {"field": "trigger.a", "operator": "matches", "value": "((((a{100}){100}){100}){100}"}}
    ),
    "a path of a megabyte": lambda: with_steps(
        {**STOP, "when": {"field": "trigger" + ".a" * 500_000, "operator": "exists"}}
    ),
    "more expressions than a task can read": lambda: with_steps(
        transform({f"f{n}": DENSE + str(n) for n in range(60)})
    ),
    "a template that is too long": lambda: with_steps(transform({"a": "x" * 300_000 + "{{ 1 }}"})),
    "two thousand expressions that cannot be read": lambda: with_steps(
        transform({f"f{n}": "{{ a b " + str(n) for n in range(2_000)})
    ),
    "two thousand unknown names": lambda: with_steps(transform({f"f{n}": f"{{{{ x{n} }}}}" for n in range(2_000)})),
    "a schedule of a megabyte": lambda: {
        **HEAD,
        "steps": [STOP],
        "trigger": {"type": "schedule", "cron": "*" * 1_000_000},
    },
    "too many values": lambda: with_steps(transform({"a": [[]] * 150_000})),
    "a value nested a thousand deep": lambda: with_steps(transform({"a": json.loads("[" * 900 + "]" * 900)})),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_refused_in_a_moment(name: str) -> None:
    document = DOCUMENTS[name]()
    started = time.thread_time()
    assert judged(document) > 0
    assert time.thread_time() - started < 4


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)

TEXTS: dict[str, str] = {
    "aliases that multiply": BOMB,
    "an alias of itself": "a: &a [*a]",
    "a tag of Python": "a: !!python/object/apply:os.system ['id']",
    "another tag": "a: !!binary aGVsbG8=",
    "brackets in JSON": "[" * 100_000,
    "brackets in YAML": "a: " + "[" * 50_000,
    "braces in YAML": "a: " + "{b: " * 20_000,
    "indents": "\n".join(" " * n + "a:" for n in range(1_200)),
    "dashes": "- " * 5_000 + "a",
    "digits in JSON": '{"a": ' + "9" * 1_000_000 + "}",
    "digits in YAML": "a: " + "9" * 1_000_000,
    "infinity": "a: 1e999",
    "a key that is a list": "? [a, b]\n: 1",
    "a key that is twice there": "a: 1\na: 2",
    "many documents": "---\na: 1\n" * 10_000,
    "too long a text": "a: " + "x" * 3_000_000,
    "half a character": '{"a": "\\ud800"}',
    "NUL": '{"a": "\\u0000"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_refused_in_a_moment(name: str) -> None:
    tracemalloc.start()
    try:
        started = time.thread_time()
        with pytest.raises(DefinitionInvalid) as caught:
            read_text(TEXTS[name])
        taken = time.thread_time() - started
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.problems
    assert taken < 8
    assert peak < 200_000_000


def test_expressions_of_a_definition_are_counted_together() -> None:
    tokens = parse_template(DENSE).tokens
    fitting = MAX_DEFINITION_TOKENS // tokens
    few, many = (
        check(parse(with_steps(transform({f"f{n}": DENSE for n in range(count)}))), actions={})
        for count in (fitting, fitting + 1)
    )
    said = f"the expressions of the workflow have more than {MAX_DEFINITION_TOKENS:,} parts together"
    assert said not in [problem.message for problem in few]
    assert said in [problem.message for problem in many]


@pytest.mark.parametrize(
    "text",
    [
        "{#x#}" * 5_000 + "{{ 1 }}",
        "{% raw %}x{% endraw %}" * 2_500,
        "{{ " + "9" * 200_000 + " }}",
        "{{ 1 + " + "9_" * 99_999,
    ],
)
def test_what_only_the_lexer_sees_is_bounded_too(text: str) -> None:
    started = time.thread_time()
    with pytest.raises(ExpressionError):
        parse_template(text)
    assert time.thread_time() - started < 0.1


def test_digits_in_a_text_around_expressions_are_text() -> None:
    digits = "9" * 50_000
    assert parse_template(f"{digits}{{{{ 1 }}}}{digits}").single is None


@pytest.mark.parametrize("levels", [20, 100, 1_000, 5_000])
def test_a_condition_nested_deeply_is_evaluated_or_refused(levels: int) -> None:
    try:
        conditions.evaluate(condition(levels), {"trigger": {"a": 1}})
    except (ExpressionError, RecursionError):
        assert levels > 100
