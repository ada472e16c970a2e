"""News between processes: which runs have ended or answered, told over PostgreSQL's NOTIFY to those who wait for them.

News may get lost: a process dies before it tells, a connection breaks, a pooler in between swallows LISTEN. So they
only say when to look: who waits looks at the rows as well, seldom while news are heard and often while not.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from uuid import UUID, uuid4

import psycopg

from app.db.engine import Database
from app.services.errors import Unavailable
from app.services.together import Together

CHANNEL = "holdfast_runs"
MOST_TOGETHER = 200
"""Ids of one message: PostgreSQL takes 8,000 bytes."""
REMEMBERED = 4096
"""Runs that were heard of lately: a run may end before its caller begins to wait."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
CLOSE_SECONDS = 0.5

logger = logging.getLogger(__name__)


class News:
    """What one process tells and hears. Connects when somebody waits for the first time, and again when it must."""

    def __init__(self, database: Database) -> None:
        self.heard = False
        """Whether news arrive at present."""
        self._database = database
        self._telling: Together[str, str, None] = Together(self._send, most=MOST_TOGETHER)
        self._told: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None
        self._token = ""
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._lately: OrderedDict[str, None] = OrderedDict()

    def tell(self, run_id: UUID) -> None:
        """Let every process know that it is worth looking at this run. To be called when what there is to see is
        committed; does not wait, and never fails."""
        task = asyncio.create_task(self._tell(str(run_id)))
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    @contextmanager
    def awaited(self, run_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when there are news of the run, of a moment ago too, and to be cleared by who saw it."""
        if self._listening is None:
            # Beyond the request that begins it.
            self._listening = asyncio.create_task(self._listen(), context=Context())
        news, id = asyncio.Event(), str(run_id)
        if id in self._lately:
            news.set()
        self._waiting.setdefault(id, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[id].discard(news)
            if not self._waiting[id]:
                del self._waiting[id]

    async def close(self) -> None:
        """Tell what is still to be told, and hear no more."""
        if self._told:
            await asyncio.wait(self._told)
        while self._listening is not None:
            # Python 3.11 forgets a cancellation that comes at the same moment as a message: so until it has ended.
            self._listening.cancel()
            ended, _ = await asyncio.wait((self._listening,), timeout=CLOSE_SECONDS)
            if ended:
                self._listening = None

    async def _tell(self, id: str) -> None:
        try:
            await self._telling(CHANNEL, id)
        except (Unavailable, psycopg.Error) as error:
            logger.debug("nobody is told that run %s is worth a look: %s", id, error)

    async def _send(self, channel: str, ids: Sequence[str]) -> list[None]:
        await self._database.notify(channel, ",".join(ids))
        return [None] * len(ids)

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._database.listening(CHANNEL) as messages:
                    # Only when its own message comes back it is known that messages come.
                    self._token = uuid4().hex
                    await self._database.notify(CHANNEL, self._token)
                    async for message in messages:
                        self._hear(message)
                        pause = FIRST_PAUSE
            except Exception as error:
                # Whatever it is: who waits must not be without news for good.
                logger.warning("no news of runs for a moment: %s", error or type(error).__name__)
            finally:
                self.heard = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _hear(self, message: str) -> None:
        if message == self._token:
            self.heard = True
            # What was told before it could be heard is seen now.
            for waiting in self._waiting.values():
                _set(waiting)
            return
        for id in message.split(","):
            self._lately[id] = None
            _set(self._waiting.get(id, ()))
        while len(self._lately) > REMEMBERED:
            self._lately.popitem(last=False)


def _set(waiting: Sequence[asyncio.Event] | set[asyncio.Event]) -> None:
    for news in waiting:
        news.set()
