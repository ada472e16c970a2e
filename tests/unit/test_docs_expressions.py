"""The page about expressions says what is so: every example gives its result, tests and bounds are the language's."""

import json

import pytest

from app.definition.date_tokens import TOKENS
from app.definition.errors import LimitError
from app.definition.expressions import TESTS, evaluate
from app.definition.limits import MAX_DEFINITION_TOKENS, MAX_ITEM_OPERATIONS, MAX_OPERATIONS
from app.json import Json
from tests.support.documents import ROOT, quoted, table

PAGE = "expressions.md"
MOMENT = "2030-03-05T14:07:09.250Z"


def cell(text: str) -> str:
    """What a cell holds between its backticks, with the spaces at its ends."""
    return text.removeprefix("`").removesuffix("`")


def given(expression: str) -> Json:
    return evaluate(f"{{{{ {expression} }}}}", {"trigger": {}})


@pytest.mark.parametrize("row", table(PAGE, "text"), ids=lambda row: row[0])
def test_a_text_gives_what_is_said(row: list[str]) -> None:
    text, trigger, result = map(cell, row)
    assert evaluate(text, {"trigger": json.loads(trigger)}) == json.loads(result)


@pytest.mark.parametrize("row", table(PAGE, "operator"), ids=lambda row: row[1])
def test_an_operator_gives_what_is_said(row: list[str]) -> None:
    value, said = given(cell(row[1])), json.loads(cell(row[2]))
    assert value == said
    assert type(value) is type(said)


@pytest.mark.parametrize("row", table(PAGE, "test"), ids=lambda row: row[0])
def test_a_test_gives_what_is_said(row: list[str]) -> None:
    assert {TESTS[name].description for name in quoted(row[0])} == {row[1]}
    assert given(cell(row[2])) == json.loads(cell(row[3]))


def test_every_test_of_the_language_is_described() -> None:
    assert sorted(name for row in table(PAGE, "test") for name in quoted(row[0])) == sorted(TESTS)


OVER = [
    "{% for n in range(9999) %}{{ n * n + n }}{{ n }}{% endfor %}",
    "{{ 'a' * 999999 ~ 'b' * 9 }}",
    "{{ range(10001) }}",
    "{{ 9 ** 9999 }}",
    "{{ ['a' * 90000] * 30 }}",
    "{% set a = [] %}" + "{% set a = [a] %}" * 110 + "{{ a | json }}",
    "x" * 300_000 + "{{ 1 }}",
    "{{ " + "1," * 2_000 + "1 }}",
    "{% for a in [1] %}" * 4 + "{% endfor %}" * 4,
]


def test_every_bound_is_told_in_the_words_of_its_error() -> None:
    told = [row[0] for row in table(PAGE, "message")]
    said = []
    for template in OVER:
        with pytest.raises(LimitError) as caught:
            evaluate(template, {})
        said.append(caught.value.message)
    said.insert(-1, f"the expressions of the workflow have more than {MAX_DEFINITION_TOKENS:,} parts together")
    assert told == said


@pytest.mark.parametrize("row", table("filters.md", "token"), ids=lambda row: row[0])
def test_a_token_of_a_date_gives_what_is_said(row: list[str]) -> None:
    assert given(f"'{MOMENT}' | date_format('{cell(row[0])}')") == cell(row[2])


def test_every_token_of_a_date_is_told() -> None:
    assert [cell(row[0]) for row in table("filters.md", "token")] == list(TOKENS)


def test_the_units_of_work_are_those_that_are_told() -> None:
    text = (ROOT / "docs" / PAGE).read_text()
    assert f"may take {MAX_OPERATIONS:,} units" in text
    assert f"have {MAX_ITEM_OPERATIONS:,}" in text
