"""What reading an expression may take: trees that are kept, arguments that are judged before anything runs."""

import time

import pytest

from app.definition import limits
from app.definition.errors import ExpressionError, LimitError
from app.definition.expressions import evaluate, syntax_problems
from app.definition.filters import FILTERS, Filter
from app.definition.limits import Budget
from app.definition.syntax import _Trees, parse
from tests.support.bounds import SOON


def test_a_text_is_read_once() -> None:
    assert parse("{{ 1 + 41 }}") is parse("{{ 1 + 41 }}")


def test_trees_are_kept_up_to_a_weight() -> None:
    trees = _Trees()
    dense = parse("{{ " + "a ~ " * 1_500 + "1 }}")
    texts = [f"text {number}" for number in range(200)]
    for text in texts:
        trees.keep(text, dense)
    kept = [text for text in texts if trees.get(text) is not None]
    assert texts[-1] in kept
    assert texts[0] not in kept
    assert len(kept) * dense.tokens <= 2 * limits.MAX_KEPT_TOKENS


def test_a_tree_in_use_is_not_dropped() -> None:
    trees = _Trees()
    dense = parse("{{ " + "a ~ " * 1_500 + "1 }}")
    trees.keep("in use", dense)
    for number in range(200):
        trees.keep(str(number), dense)
        assert trees.get("in use") is dense


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("now | date_add(days=-1)", "date_add is used wrongly"),
        ("'a' | upper(1)", "upper is used wrongly: too many positional arguments"),
        ("'a' | replace('a')", "replace is used wrongly: missing a required argument"),
        ("4 is divisibleby", "divisibleby is used wrongly: missing a required argument"),
        ("4 is even(2)", "even is used wrongly: too many positional arguments"),
    ],
)
def test_arguments_that_do_not_fit_are_found_before_anything_runs(expression: str, message: str) -> None:
    [(place, told, _hint)] = syntax_problems(f"{{{{ {expression} }}}}")
    assert place == ()
    assert message in told
    with pytest.raises(ExpressionError, match=message.split(":", maxsplit=1)[0]):
        evaluate(f"{{{{ {expression} }}}}", {"now": "2030-01-31T09:00:00Z"})


@pytest.mark.parametrize("expression", ["'a' | default('b', true)", "[1] | map('round', 2)", "{} | merge({}, {}, {})"])
def test_arguments_that_fit_are_no_problem(expression: str) -> None:
    assert syntax_problems(f"{{{{ {expression} }}}}") == []


def test_work_that_is_too_much_is_refused_before_it_takes_room() -> None:
    budget = Budget(10)
    budget.require(10)
    assert budget.operations == 10
    with pytest.raises(LimitError, match="too much work"):
        budget.require(11)
    assert budget.operations == -1


def test_a_number_of_many_digits_is_no_part_of_a_message() -> None:
    for expression in ("x[n]", "l[n]", "s[n]", "z[n]", "n[n]"):
        with pytest.raises(ExpressionError, match="a number"):
            evaluate(f"{{{{ {expression} }}}}", {"n": 10**20_000, "x": {}, "l": [], "s": "", "z": None})


def test_texts_of_wide_characters_weigh_what_their_bytes_do() -> None:
    trees = _Trees()
    texts = ["\U0001f600" * 100_000 + f"{{{{ {number} }}}}" for number in range(60)]
    for text in texts:
        trees.keep(text, parse("{{ 1 }}"))
    assert sum(trees.get(text) is not None for text in texts) * 2 * 400_000 < 32_000_000


def test_running_out_of_memory_is_an_error_of_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_gone(run: object, value: object) -> None:
        raise MemoryError

    monkeypatch.setitem(FILTERS, "upper", Filter(all_gone, "All gone."))
    with pytest.raises(LimitError, match="takes too much memory"):
        evaluate("{{ 'a' | upper }}", {})


def test_later_prices_are_told_apart() -> None:
    budget = Budget(100)
    budget.charge(10)
    budget.pay(20)
    assert (budget.operations, budget.later) == (70, 20)


def test_a_refused_definition_of_digits_is_read_in_a_moment() -> None:
    started = time.thread_time()
    parse("{{ 1 }} " + ("9" * 19_990 + " ") * 13)
    with pytest.raises(LimitError, match="too many digits"):
        parse("{{ 0x" + "f" * 250_000 + " }}")
    assert time.thread_time() - started < SOON
