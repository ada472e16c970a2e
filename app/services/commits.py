"""Outcomes of effects are kept together where many runs make effects: those that are ready at about the same time share
a statement and a transaction. A process that is not busy keeps each at once. What an outcome's row says is not known
here.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from app.db.engine import Database
from app.json import JsonObject
from app.store.recording import commit

BUSY_RUNS = 4
"""So many runs that kept something within `LATELY_SECONDS` make a process busy: more is about to come."""
LATELY_SECONDS = 0.1
JOIN_SECONDS = 0.0006
"""What a busy process waits for others to join, for each of those runs. A transaction costs several times what one more
row in it does; on the other side, an effect whose process dies meanwhile is done again."""
LONGEST_JOIN = 0.008
"""Seconds, however many there are."""
MOST_TOGETHER = 50


@dataclass(eq=False)
class _Outcome:
    """A row that is to be kept, and where its `keep` waits for the answer."""

    run_id: UUID
    row: JsonObject
    answer: asyncio.Future[bool] = field(default_factory=asyncio.Future)


class Commits:
    """Keeps the outcomes of one process, in the order in which they come."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds from any start."""
        self._database = database
        self._clock = clock
        self._waiting: dict[UUID, list[_Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lately: deque[tuple[float, UUID]] = deque()

    async def keep(self, workspace_id: UUID, run_id: UUID, row: JsonObject) -> bool:
        """Keep a row of `steps` (as `commit` takes it) for good. True when its run has ended.

        Raises `Unavailable` while the database is away and psycopg's errors about this row.
        """
        outcome = _Outcome(run_id, row)
        self._lately.append((self._clock(), run_id))
        if workspace_id in self._waiting:
            self._waiting[workspace_id].append(outcome)
        else:
            self._waiting[workspace_id] = [outcome]
            task = asyncio.create_task(self._keep_all(workspace_id), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await outcome.answer

    async def _keep_all(self, workspace_id: UUID) -> None:
        """Until none of the workspace's is left. One transaction at a time: while it is sent, the next one gathers."""
        try:
            while self._waiting[workspace_id]:
                if (runs := self._runs_lately()) >= BUSY_RUNS:
                    await asyncio.sleep(min(runs * JOIN_SECONDS, LONGEST_JOIN))
                together, self._waiting[workspace_id] = _take(self._waiting[workspace_id])
                await self._send(workspace_id, together)
        finally:
            for left in self._waiting.pop(workspace_id):
                left.answer.cancel()

    async def _send(self, workspace_id: UUID, together: Sequence[_Outcome]) -> None:
        rows = [(each.run_id, each.row) for each in together]
        try:
            (found,) = await self._database.run(workspace_id, commit(workspace_id, rows))
        except psycopg.Error as error:
            if len(together) > 1:
                # One of them cannot be kept: the others must not go with it.
                for each in together:
                    await self._send(workspace_id, [each])
            else:
                _answer(together, error)
        except Exception as error:
            _answer(together, error)
        except BaseException:
            for each in together:
                each.answer.cancel()
            raise
        else:
            ended = dict(found)
            for each in together:
                if not each.answer.done():
                    each.answer.set_result(ended.get(each.run_id, True))

    def _runs_lately(self) -> int:
        while self._lately and self._clock() - self._lately[0][0] > LATELY_SECONDS:
            self._lately.popleft()
        return len({run_id for _, run_id in self._lately})


def _take(waiting: Sequence[_Outcome]) -> tuple[list[_Outcome], list[_Outcome]]:
    """Those that go together, and those left. One statement touches a row only once, so a second one for it is left."""
    together: dict[tuple[UUID, object], _Outcome] = {}
    left: list[_Outcome] = []
    for each in waiting:
        place = (each.run_id, each.row["path"])
        if place in together or len(together) == MOST_TOGETHER:
            left.append(each)
        else:
            together[place] = each
    return list(together.values()), left


def _answer(together: Sequence[_Outcome], error: Exception) -> None:
    for each in together:
        if not each.answer.done():
            each.answer.set_exception(error)
