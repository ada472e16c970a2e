"""Effects that cannot have been made before, so that nobody looks for their outcome: those of a first task.

A local activity is made again only when its workflow task is, and Temporal gives a task to another worker ten seconds
after the first one took it. So what a worker does in the first attempt at an execution's first task is new while the
task is young by the server's clock: a worker that stood still in between finds its task too old. Told by the worker's
own view of its tasks; nothing here touches an effect.
"""

import time
from collections.abc import Callable

YOUNG_SECONDS = 5.0
"""Half of what Temporal gives a task, for clocks that differ and for the way from this question to the effect."""
CLOCKS_DIFFER_SECONDS = 1.0
"""A task from further in the future says that the clocks differ too much to go by them."""


class FirstTasks:
    """Temporal executions by run id, and when the first attempt at their first task began by the server's clock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._clock = clock
        self._began: dict[str, float] = {}

    def begin(self, run_id: str, began: float) -> None:
        """The first attempt at the execution's first task is this worker's, since `began` (seconds since 1970)."""
        self._began[run_id] = began

    def end(self, run_id: str) -> None:
        """Another task begins, the run has ended, or the execution is put out of the worker's memory."""
        self._began.pop(run_id, None)

    def __contains__(self, run_id: str) -> bool:
        """Whether what the execution asks for now is new."""
        began = self._began.get(run_id)
        return began is not None and -CLOCKS_DIFFER_SECONDS < self._clock() - began < YOUNG_SECONDS
