"""Concurrent parts of a walk: started, limited in time, cancelled and awaited in a fixed order.

asyncio's own task groups keep their tasks in sets, whose order differs between replays; these keep lists.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from temporalio import workflow

from workflows.failures import RunStopped, Suspended

T = TypeVar("T")
Tasks = list["asyncio.Task[Any]"]


class LimitReached(Exception):
    """The time given to a part of the walk is over."""


async def limited(part: Coroutine[Any, Any, T], seconds: float) -> T:
    """Await `part`, at most `seconds`; then it is cancelled, awaited, and `LimitReached` raised."""
    task = asyncio.create_task(part)
    try:
        await workflow.wait_condition(task.done, timeout=seconds)
    except TimeoutError:
        await end([task])
        if task.cancelled() or isinstance(task.exception(), Exception):
            raise LimitReached from None
    except asyncio.CancelledError:
        await end([task])
        raise
    return task.result()


async def until_decided(tasks: Sequence["asyncio.Task[Any]"], decided: Callable[[], bool]) -> None:
    """Wait until `decided` holds or all tasks are done; then end the others. Cancelling this ends all of them.

    Raises `Suspended` when one of them was, unless a `stop` ends the run: nothing is decided then, since the next
    execution comes to the same decision from what is journaled. The others are not cancelled: they finish or suspend.
    """

    def over() -> bool:
        return all(task.done() for task in tasks) or stopped(tasks) or (decided() and not _suspended(tasks))

    try:
        await workflow.wait_condition(over)
    except asyncio.CancelledError:
        await end(tasks)
        raise
    # Not in a `finally`: a run that is put out of the worker's memory is closed, and must not wait for anything then.
    await end(tasks)
    if _suspended(tasks) and not stopped(tasks):
        raise Suspended


async def end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """Cancel what is still going, in order, and wait until all of it has ended."""
    for task in tasks:
        if not task.done():
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def leave_if_cancelled() -> None:
    """Raise `CancelledError` when the walk is being cancelled and an activity that ended nevertheless has hidden it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def failure(tasks: Sequence["asyncio.Task[Any]"]) -> BaseException | None:
    """What ended a task, cancellations aside: a `stop` of the whole run before any failure, then by position."""
    errors = [error for error in _errors(tasks) if not isinstance(error, Suspended)]
    stops = [error for error in errors if not isinstance(error, Exception)]
    return next(iter(stops + errors), None)


def stopped(tasks: Sequence["asyncio.Task[Any]"]) -> bool:
    """Whether a task reached a `stop`: nothing else is waited for then."""
    return any(isinstance(error, RunStopped) for error in _errors(tasks))


def _suspended(tasks: Sequence["asyncio.Task[Any]"]) -> bool:
    return any(isinstance(error, Suspended) for error in _errors(tasks))


def _errors(tasks: Sequence["asyncio.Task[Any]"]) -> list[BaseException]:
    ended = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    return [error for error in ended if error is not None]
