"""What the `transform.*` actions do, as pure functions that run inside the walk: no I/O, no clock, no randomness.

Each takes the step's inputs as they are written and the context of the step, and evaluates what it needs when it needs
it. Errors are `ValueError`s: an `ExpressionError`, or `InputsInvalid` when the inputs do not fit their model.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from app.catalog.base import ActionModel
from app.catalog.transform import AggregateInputs, FilterInputs, FormatDateInputs, MapInputs, TemplateInputs
from app.definition.expressions import evaluate
from app.definition.items import aggregate, filter_items
from app.definition.limits import Budget
from app.definition.values import to_text
from app.json import Json, JsonObject

Context = Mapping[str, Json]
InputsT = TypeVar("InputsT", bound=ActionModel)


class InputsInvalid(ValueError):
    """Inputs that do not fit their model, said by field."""


def _read(model: type[InputsT], inputs: JsonObject) -> InputsT:
    try:
        return model.model_validate(inputs)
    except ValidationError as error:
        told = (f"{'.'.join(map(str, each['loc'])) or 'inputs'}: {each['msg']}" for each in error.errors())
        raise InputsInvalid("; ".join(told)) from error


def _evaluated(inputs: JsonObject, context: Context, budget: Budget, *, but: Collection[str] = ()) -> JsonObject:
    """The inputs evaluated, except those that are evaluated with names of their own."""
    return {name: value if name in but else evaluate(value, context, budget=budget) for name, value in inputs.items()}


def transform_map(inputs: JsonObject, context: Context, budget: Budget) -> Json:
    """`{result}`: the mapping evaluated, with `source` in reach."""
    given = _read(MapInputs, _evaluated(inputs, context, budget, but=["mapping"]))
    return {"result": evaluate(given.mapping, {**context, "source": given.source}, budget=budget)}


def transform_filter(inputs: JsonObject, context: Context, budget: Budget) -> Json:
    """`{items, result, count}`: the items for which the condition holds."""
    given = _read(FilterInputs, _evaluated(inputs, context, budget, but=["where", "conditions"]))
    where = given.where
    if given.conditions is not None:
        where = {"all": [_about_item(condition) for condition in given.conditions]}
    kept = filter_items(given.items, where, context, budget=budget)
    return {**kept, "result": kept["items"]}


def _about_item(condition: JsonObject) -> JsonObject:
    """A condition whose field is a path inside the item."""
    field = condition.get("field")
    if not isinstance(field, str):
        raise InputsInvalid("conditions: each needs a field, an operator and a value")
    inside = field == "item" or field.startswith(("item.", "item["))
    return condition if inside else {**condition, "field": f"item.{field}"}


def transform_aggregate(inputs: JsonObject, context: Context, budget: Budget) -> Json:
    """`{result}`: one value from the items."""
    given = _read(AggregateInputs, _evaluated(inputs, context, budget))
    return aggregate(given.items, given.operation, given.field, budget=budget)


def transform_format_date(inputs: JsonObject, context: Context, budget: Budget) -> Json:
    """`{formatted}`: the moment as text. The filter `date_format` says how."""
    given = _read(FormatDateInputs, _evaluated(inputs, context, budget))
    text = evaluate("{{ date | date_format(format, timezone) }}", given.model_dump(), budget=budget)
    return {"formatted": text}


def transform_template(inputs: JsonObject, context: Context, budget: Budget) -> Json:
    """`{result}`: the template as text, with `variables` in reach."""
    given = _read(TemplateInputs, _evaluated(inputs, context, budget, but=["template"]))
    value = evaluate(given.template, {**context, **given.variables}, budget=budget)
    return {"result": to_text(value, budget)}


INLINE: Mapping[str, Callable[[JsonObject, Context, Budget], Json]] = MappingProxyType(
    {
        "transform.aggregate": transform_aggregate,
        "transform.filter": transform_filter,
        "transform.format_date": transform_format_date,
        "transform.map": transform_map,
        "transform.template": transform_template,
    }
)
"""By catalog id: one for every action whose entry says `inline`. The budget is the whole action's."""
