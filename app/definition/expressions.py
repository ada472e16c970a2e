"""Expressions in `{{ }}`: the door to reading and evaluating them. The grammar, the walk and the filters stand beside.

The syntax is Jinja's. Only JSON values exist while one is evaluated, by a walk over the syntax tree, so no Python
object can be reached; every operation is charged to a budget. A text that is exactly one `{{ expression }}` keeps the
type of its value; any other text renders to a string.
"""

from collections.abc import Mapping

from app.definition.errors import ConditionError, ExpressionError, ItemsError, LimitError, MissingError, Path
from app.definition.evaluator import FUNCTIONS, Evaluation
from app.definition.filters import FILTERS, Filter
from app.definition.limits import Budget
from app.definition.predicates import TESTS
from app.definition.references import Reference, references, syntax_problems, templates
from app.definition.syntax import is_template, parse
from app.definition.values import measure
from app.json import Json

__all__ = [
    "FILTERS",
    "FUNCTIONS",
    "TESTS",
    "ConditionError",
    "ExpressionError",
    "Filter",
    "ItemsError",
    "LimitError",
    "MissingError",
    "Reference",
    "evaluate",
    "is_template",
    "references",
    "syntax_problems",
    "templates",
]


def evaluate(value: Json, context: Mapping[str, Json], *, budget: Budget | None = None) -> Json:
    """The value with the templates in its texts evaluated, at any depth of lists and objects; keys stay as they are.

    `context` holds the names: `trigger`, `steps`, `vars`, `run`, `workspace`, `now` (RFC 3339), and what surrounds the
    step. Raises ExpressionError with the text, its place in the value, and the way out.
    """
    evaluation = Evaluation(context, budget)
    result = _resolved(value, evaluation, ())
    if result is not value:
        try:
            measure(result, evaluation.budget)
        except ExpressionError as error:
            error.expression = error.expression or (value if isinstance(value, str) else "")
            raise
    return result


def _resolved(value: Json, evaluation: Evaluation, path: Path) -> Json:
    if isinstance(value, str):
        return _text(value, evaluation, path) if is_template(value) else value
    if isinstance(value, dict | list):
        evaluation.budget.pay(1 + (len(value) >> 2))
    if isinstance(value, dict):
        return {key: _resolved(part, evaluation, (*path, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, evaluation, (*path, index)) for index, part in enumerate(value)]
    return value


def _text(text: str, evaluation: Evaluation, path: Path) -> Json:
    try:
        return evaluation.result(parse(text))
    except ExpressionError as error:
        error.expression = error.expression or text
        error.path = error.path or path
        raise
    except RecursionError:
        raise LimitError("a value is nested too deeply", expression=text, path=path) from None
    except MemoryError:
        # Not one more than a run's other failures: a task that raised it would be tried for ever.
        raise LimitError("the expression takes too much memory", expression=text, path=path) from None
