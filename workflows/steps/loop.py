"""`loop`: walk the steps once for each item, some at a time. Finished items are kept as results, not as steps."""

from app.catalog.errors import ErrorType
from app.definition.steps import LoopStep
from app.json import Json
from app.temporal.messages import StepRecord
from workflows.failures import fail
from workflows.journal import Progress
from workflows.scope import Scope
from workflows.tasks import failure


async def run(scope: Scope, step: LoopStep, record: StepRecord) -> Json:
    """`{results, count}`: what `collect` gave for each item, else the output of the item's last step."""
    progress = scope.journal.loops.get(record.path)
    if progress is None:
        progress = scope.journal.loops[record.path] = Progress(_items(scope, step))
        scope.state.holdings.go_over(record.path, progress.items)
    left = [index for index in range(len(progress.items)) if index not in progress.results]
    if step.concurrency == 1 or len(left) <= 1:
        for index in left:
            await _item(scope, step, progress, index)
    else:
        await _several(scope, step, progress, left)
    scope.state.holdings.forget(f"{record.path}[")
    return {"results": [progress.results[index] for index in range(len(progress.items))], "count": len(progress.items)}


def _items(scope: Scope, step: LoopStep) -> list[Json]:
    items = scope.evaluate(step.items, "items")
    if not isinstance(items, list):
        fail(ErrorType.EXPRESSION, f"items: a loop goes over a list, and this is a {type(items).__name__}")
    if len(items) > step.max_iterations:
        fail(
            ErrorType.LIMIT_EXCEEDED, f"items: {len(items)} items are more than max_iterations ({step.max_iterations})"
        )
    return items


async def _several(scope: Scope, step: LoopStep, progress: Progress, left: list[int]) -> None:
    """As many walkers as `concurrency` allows, each taking the next item when it is done with one."""
    queue = iter(left)

    async def walker() -> None:
        for index in queue:
            await _item(scope, step, progress, index)
        await scope.recorder.show_status()

    walkers = [walker() for _ in range(min(step.concurrency, len(left)))]
    tasks = await scope.side_by_side(walkers, lambda tasks: failure(tasks) is not None)
    error = failure(tasks)
    if error is not None:
        raise error


async def _item(scope: Scope, step: LoopStep, progress: Progress, index: int) -> None:
    last = len(progress.items) - 1
    names = {
        step.item_variable: progress.items[index],
        "loop": {"index": index, "number": index + 1, "first": index == 0, "last": index == last, "length": last + 1},
    }
    inside = scope.item(step, index, names)
    output = await inside.run(step.steps)
    if step.collect is not None:
        output = inside.evaluate(step.collect, "collect")
    scope.state.holdings.take_item(scope.path(step), output)
    progress.results[index] = output
    scope.forget(step, index)
