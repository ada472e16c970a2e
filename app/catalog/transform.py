"""Catalog entries of `transform.*`: what reshapes data inside the run, without any call. What they do is `inline.py`'s.

Their inputs reach them as written, not evaluated: `where` is evaluated for each item, `template` with its variables.
"""

from pydantic import AliasChoices, Field, model_validator

from app.catalog.base import Action, ActionModel
from app.catalog.errors import ErrorType
from app.definition.conditions import Condition
from app.definition.steps import AggregateOperation
from app.json import Json, JsonObject

_IDEMPOTENCY = "It changes nothing outside the run."
_ERRORS = (ErrorType.EXPRESSION, ErrorType.INVALID_INPUT)


class MapInputs(ActionModel):
    """A new object from an old one."""

    mapping: JsonObject = Field(
        description="The object to make; its expressions may use `source`.",
        examples=[{"name": "{{ source.first_name }} {{ source.last_name }}"}],
    )
    source: Json = Field(None, description="What `source` means in `mapping`.", examples=["{{ trigger.contact }}"])


class MapOutputs(ActionModel):
    """The new object."""

    result: JsonObject = Field(description="`mapping` with its expressions evaluated.")


TRANSFORM_MAP = Action(
    id="transform.map",
    title="Map data",
    description="Make an object out of other data: rename, combine and compute fields.",
    icon="shuffle",
    inputs=MapInputs,
    outputs=MapOutputs,
    where="inline",
    idempotency=_IDEMPOTENCY,
    errors=_ERRORS,
    local_names={"mapping": ("source",)},
    examples=(
        {
            "title": "The shape another system wants",
            "inputs": {
                "source": "{{ trigger.contact }}",
                "mapping": {"fullName": "{{ source.first_name }} {{ source.last_name }}", "mail": "{{ source.email }}"},
            },
        },
    ),
)


class FilterInputs(ActionModel):
    """A list, and what must hold for an item to stay."""

    items: Json = Field(
        validation_alias=AliasChoices("items", "array"), description="The list.", examples=["{{ trigger.orders }}"]
    )
    where: Condition | None = Field(
        None, description="Condition for each item, which is `item` in it.", examples=["{{ item.total > 50 }}"]
    )
    conditions: list[JsonObject] | None = Field(
        None,
        description="Instead of `where`: conditions that must all hold, with fields looked up in the item.",
        examples=[[{"field": "total", "operator": "greater_than", "value": 50}]],
    )

    @model_validator(mode="after")
    def _has_one_condition(self) -> "FilterInputs":
        if (self.where is None) == (self.conditions is None):
            raise ValueError("give either where or conditions")
        return self


class FilterOutputs(ActionModel):
    """What is left of the list."""

    items: list[Json] = Field(description="The items for which the condition holds, in their order.")
    result: list[Json] = Field(description="The same list under its other name.")
    count: int = Field(description="How many there are.")


TRANSFORM_FILTER = Action(
    id="transform.filter",
    title="Filter a list",
    description="Keep the items of a list for which a condition holds.",
    icon="filter",
    inputs=FilterInputs,
    outputs=FilterOutputs,
    where="inline",
    idempotency=_IDEMPOTENCY,
    errors=_ERRORS,
    local_names={"where": ("item",), "conditions": ("item",)},
    examples=(
        {
            "title": "Large orders",
            "inputs": {"items": "{{ trigger.orders }}", "where": "{{ item.total > 50 }}"},
        },
        {
            "title": "The same with data instead of an expression",
            "inputs": {
                "items": "{{ trigger.orders }}",
                "conditions": [{"field": "total", "operator": "greater_than", "value": 50}],
            },
        },
    ),
)


class AggregateInputs(ActionModel):
    """A list, and what to make of it."""

    items: Json = Field(
        validation_alias=AliasChoices("items", "array"), description="The list.", examples=["{{ trigger.orders }}"]
    )
    operation: AggregateOperation = Field(description="What to compute.")
    field: str | None = Field(None, description="Path of the value inside each item.", examples=["total"])


class AggregateOutputs(ActionModel):
    """The one value."""

    result: Json = Field(description="A number, an item, a list (unique) or an object of lists (group_by).")


TRANSFORM_AGGREGATE = Action(
    id="transform.aggregate",
    title="Aggregate a list",
    description="One value from many items: sum, average, count, min, max, first, last, unique or group_by.",
    icon="sigma",
    inputs=AggregateInputs,
    outputs=AggregateOutputs,
    where="inline",
    idempotency=_IDEMPOTENCY,
    errors=_ERRORS,
    examples=(
        {
            "title": "Turnover",
            "inputs": {"items": "{{ trigger.orders }}", "operation": "sum", "field": "total"},
        },
    ),
)


class FormatDateInputs(ActionModel):
    """A moment, and how it is to be written."""

    date: str = Field(
        description="RFC 3339 moment (2030-01-31T09:00:00Z) or date (2030-01-31).",
        examples=["{{ trigger.booked_for }}"],
    )
    format: str = Field(
        max_length=500,
        description="As in the filter date_format: YYYY MM DD HH mm ss, MMMM, dddd, A, Z and others; "
        "text in brackets stands for itself.",
        examples=["dddd, D MMMM YYYY [at] HH:mm"],
    )
    timezone: str = Field("UTC", description="IANA time zone it is written in.", examples=["Europe/Berlin"])


class FormatDateOutputs(ActionModel):
    """The text."""

    formatted: str = Field(description="The moment as text; names of days and months are English.")


TRANSFORM_FORMAT_DATE = Action(
    id="transform.format_date",
    title="Format a date",
    description="Write a moment the way people read it, in a time zone.",
    icon="calendar",
    inputs=FormatDateInputs,
    outputs=FormatDateOutputs,
    where="inline",
    idempotency=_IDEMPOTENCY,
    errors=_ERRORS,
    examples=(
        {
            "title": "A date for a German reader",
            "inputs": {"date": "{{ trigger.booked_for }}", "format": "DD.MM.YYYY HH:mm", "timezone": "Europe/Berlin"},
        },
    ),
)


class TemplateInputs(ActionModel):
    """A text with expressions, and names for it."""

    template: str = Field(description="Text with expressions.", examples=["Hello {{ name }}, see you on {{ day }}."])
    variables: JsonObject = Field(default_factory=dict, description="Names only `template` knows, and their values.")


class TemplateOutputs(ActionModel):
    """The text."""

    result: str = Field(description="The template with its expressions evaluated.")


TRANSFORM_TEMPLATE = Action(
    id="transform.template",
    title="Render a template",
    description="Fill a text with values.",
    icon="file-text",
    inputs=TemplateInputs,
    outputs=TemplateOutputs,
    where="inline",
    idempotency=_IDEMPOTENCY,
    errors=_ERRORS,
    local_names={"template": ("*variables",)},
    examples=(
        {
            "title": "A greeting",
            "inputs": {"template": "Hello {{ name }}!", "variables": {"name": "{{ trigger.contact.first_name }}"}},
        },
    ),
)

ACTIONS = (TRANSFORM_MAP, TRANSFORM_FILTER, TRANSFORM_AGGREGATE, TRANSFORM_FORMAT_DATE, TRANSFORM_TEMPLATE)
