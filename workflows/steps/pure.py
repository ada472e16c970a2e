"""The kinds that only compute: set_variable, transform, filter, aggregate, stop. One function each; no round trip."""

from app.catalog.errors import ErrorType
from app.definition import items
from app.definition.limits import MAX_ITEM_OPERATIONS
from app.definition.steps import AggregateStep, FilterStep, SetVariableStep, StopStep, TransformStep
from app.json import Json, JsonObject, json_size
from app.temporal.messages import StepRecord
from workflows.failures import RunStopped, fail
from workflows.scope import Scope, guarded

LARGEST_KEPT = 32 * 1024
"""Bytes of JSON of one variable that is kept for the workflow's later runs."""
LONGEST_REASON = 2_000
"""Characters of a stop's reason that are kept: as the run's error Temporal takes it twice, as text and as data."""


async def set_variable(scope: Scope, step: SetVariableStep, record: StepRecord) -> Json:
    """The variables that were set. With `scope: workflow` they are kept before the run goes on."""
    values: JsonObject = scope.evaluate(step.variables, "variables")
    scope.state.holdings.require_small(values)
    if step.scope == "workflow":
        _require_small(values)
        await scope.recorder.keep_variables(record.path, values)
    scope.journal.assign(record, values)
    scope.state.holdings.assign(values, by=record.path)
    return values


def _require_small(values: JsonObject) -> None:
    """Kept variables travel with every later run."""
    for name, value in values.items():
        if (size := json_size(value)) > LARGEST_KEPT:
            fail(
                ErrorType.LIMIT_EXCEEDED,
                f"variables.{name}: {size:,} bytes are more than the {LARGEST_KEPT:,} that can be kept for later runs",
            )


async def transform(scope: Scope, step: TransformStep, record: StepRecord) -> Json:
    """The mapping with its expressions evaluated."""
    return scope.evaluate(step.mapping, "mapping")


async def filter_(scope: Scope, step: FilterStep, record: StepRecord) -> Json:
    """`{items, count}`: the items for which `where` holds."""
    values = scope.evaluate(step.items, "items")
    with scope.metered(MAX_ITEM_OPERATIONS) as budget:
        return guarded("where", items.filter_items, values, step.where, scope.context(), budget=budget)


async def aggregate(scope: Scope, step: AggregateStep, record: StepRecord) -> Json:
    """`{result}`."""
    values = scope.evaluate(step.items, "items")
    with scope.metered(MAX_ITEM_OPERATIONS) as budget:
        return guarded(step.operation, items.aggregate, values, step.operation, step.field, budget=budget)


async def stop(scope: Scope, step: StopStep, record: StepRecord) -> Json:
    """Never returns: the whole run ends here."""
    reason = str(scope.evaluate(step.reason, "reason"))
    if len(reason) > LONGEST_REASON:
        reason = f"{reason[: LONGEST_REASON - 1]}…"
    raise RunStopped(
        status=step.status,
        reason=reason,
        output=scope.evaluate(step.output, "output"),
        step_id=step.id,
        path=record.path,
    )
