"""Templates written to do harm end soon, with an error that says what was too much, and reach no Python object."""

import time

import pytest

from app.definition.expressions import ExpressionError, evaluate
from app.json import Json
from tests.support.bounds import SOON

LONG = "ab" * 100_000
CONTEXT: dict[str, Json] = {
    "trigger": {
        "text": LONG,
        "numbers": list(range(10_000)),
        "texts": [LONG + str(index) for index in range(5)] * 1_000,
        "object": {str(index): index for index in range(10_000)},
    },
    "now": "2030-01-31T09:00:00Z",
}
DOUBLED = "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 40

HOSTILE = {
    "a huge range": "{{ range(10 ** 9) }}",
    "a range past any machine word": "{{ range(10 ** 300) }}",
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}"
    "{% endfor %}{% endfor %}",
    "loops four deep": "{% for a in [1] %}" * 4 + "{% endfor %}" * 4,
    "a repeated text": "{{ 'a' * 10 ** 9 }}",
    "a repeated text the other way round": "{{ 10 ** 9 * 'a' }}",
    "a repeated list": "{{ [1] * 10 ** 9 }}",
    "a text doubled again and again": "{% set a = 'ab' %}" + "{% set a = a ~ a %}" * 40 + "{{ a | length }}",
    "a list doubled again and again": DOUBLED + "{{ a }}",
    "a doubled list as text": DOUBLED + "x{{ a }}",
    "a doubled list compared": DOUBLED + "{{ a == a }}",
    "a doubled list as JSON": DOUBLED + "{{ a | json | length }}",
    "a power": "{{ 9 ** 999999 }}",
    "a power of a power": "{{ (9 ** 999) ** 999 }}",
    "a power of a fraction": "{{ 2.5 ** 99999 }}",
    "a long product": "{{ " + "* ".join(["(9 ** 300)"] * 20) + " }}",
    "a number of many digits": "{{ " + "9" * 5_000 + " }}",
    "a float of many digits": "{{ 1e999 }}",
    "digits in a text": "{{ '1e999999999' | int }}",
    "a width": "{{ 1.5 | number(10 ** 9) }}",
    "digits to round to": "{{ 1.5 | round(10 ** 9) }}",
    "a printf width": "{{ '%1000000000d' % 1 }}",
    "parentheses": "{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}",
    "brackets": "{{ " + "[" * 10_000,
    "braces": "{{ " + "{" * 10_000,
    "minus signs": "{{ " + "-" * 15_000 + "1 }}",
    "not not not": "{{ " + "not " * 3_000 + "1 }}",
    "a long sum": "{{ " + "1 + " * 1_500 + "1 }}",
    "a very long sum": "{{ " + "1 + " * 9_000 + "1 }}",
    "many filters": "{{ 'a' " + "| trim " * 1_500 + "}}",
    "many members": "{{ a" + ".a" * 1_500 + " }}",
    "ifs in ifs": "{% if 1 %}" * 1_000,
    "many inline ifs": "{{ " + "1 if 1 else " * 900 + "1 }}",
    "many quotes": "{{ " + "'" * 9_999 + " }}",
    "many openings": "{{" * 5_000,
    "many comments": "{#" * 5_000,
    "a long text": "x" * 300_000 + "{{ 1 }}",
    "a regex bomb over everything": "{{ trigger.text | regex_replace('(.{1,100}){1,10}x', '') }}",
    "a regex that matches everywhere": "{{ trigger.text | regex_replace('', 'zzzzzzzzzzzzzzzz') }}",
    "a regex that looks far ahead each time": "{{ trigger.text | regex_replace('a(.*[ab]{13}x)?', 'z') }}",
    "a regex too large to compile": "{{ 'a' | regex_replace('((((a{100}){100}){100}){100}', '') }}",
    "a long regex": "{{ 'a' | regex_search('" + "(a|b)*" * 1_000 + "') }}",
    "long texts sorted": "{{ trigger.texts | sort | length }}",
    "a list searched for each of its elements": "{{ trigger.numbers | select('in', trigger.numbers) | length }}",
    "lists compared for uniqueness": "{{ trigger.numbers | batch(1) | unique | length }}",
    "a text in characters": "{{ trigger.text | split('') | length }}",
    "a text replaced by a longer one": "{{ trigger.text | replace('a', '" + "z" * 1_000 + "') | length }}",
    "a long separator": "{{ trigger.numbers | join(trigger.text) }}",
    "one text many times": "{{ [trigger.text] * 100 }}",
    "a megabyte of text": "{{ " + " ~ ".join(["trigger.text"] * 6) + " }}",
    "work for every number": "{% for n in trigger.numbers %}{{ trigger.numbers | length + n * 2 - 3 }}{% endfor %}",
    "filters in filters": "{{ trigger.numbers | map('string') | map('replace', '1', trigger.text) | list }}",
    "a date without end": "{{ now | date_add('99999999999d') }}",
}


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE.keys())
def test_it_ends_soon_with_an_error(template: str) -> None:
    started = time.thread_time()
    with pytest.raises(ExpressionError) as caught:
        evaluate(template, CONTEXT)
    assert time.thread_time() - started < SOON
    assert caught.value.message
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    "template",
    [
        "{{ trigger.text | regex_replace('(x+x+)+y', '') | length }}",
        "{{ trigger.numbers | sort | length }}",
        "{{ trigger.numbers | map('string') | join(',') | length }}",
        "{{ trigger.object | json | from_json | length }}",
        "{% for n in trigger.numbers %}{{ n }}{% endfor %}",
        "{{ now | date_format('" + "YYYY" * 2_000 + "') | length }}",
        "{{ trigger.object == trigger.object }}",
    ],
)
def test_honest_work_on_much_data_is_done_in_time(template: str) -> None:
    started = time.thread_time()
    assert evaluate(template, CONTEXT) is not None
    assert time.thread_time() - started < SOON


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''.__class__.__mro__[1].__subclasses__()",
        "trigger.__class__",
        "trigger['__class__']",
        "trigger | attr('__class__')",
        "range.__globals__",
        "self",
        "self.__init__",
        "cycler.__init__.__globals__",
        "joiner",
        "namespace(a=1)",
        "lipsum.__globals__",
        "dict(a=1)",
        "config",
        "request",
        "''.format",
        "'{0.__class__}'.format(1)",
        "[].append(1)",
        "trigger.numbers | map(attribute='__class__') | list",
        "trigger.numbers | selectattr('__class__', 'string') | first",
        "(1).real",
        "true.real",
        "none.__class__",
    ],
)
def test_no_python_object_can_be_reached(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(f"{{{{ {expression} }}}}", CONTEXT)


def test_values_nested_deeper_than_the_interpreter_goes_are_an_error() -> None:
    deep: Json = 1
    for _ in range(5_000):
        deep = [deep]
    for expression in ("{{ deep }}", "{{ deep == deep }}", "{{ deep | json }}", "{{ [deep] | unique }}"):
        with pytest.raises(ExpressionError):
            evaluate(expression, {"deep": deep})


def test_a_small_expression_takes_microseconds() -> None:
    context = {"trigger": {"contact": {"email": "ada@example.com"}}}
    evaluate("{{ trigger.contact.email }}", context)
    started = time.thread_time()
    for _ in range(1_000):
        evaluate("{{ trigger.contact.email }}", context)
    assert (time.thread_time() - started) / 1_000 < 0.0001
