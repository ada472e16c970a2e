"""How many streams a process keeps open, and for whom: none of them may take the places of all. Knows no stream."""

from collections import Counter
from collections.abc import Callable

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from app.services.actors import Actor
from app.services.errors import TooMany

OF_A_WORKSPACE = 4
OF_A_KEY = 10
"""One workspace, and one key, may have this part of a process' places."""
RETRY_SECONDS = 5
_PROCESS = "process"


class Streams:
    """The places of one process. For use from one event loop."""

    def __init__(self) -> None:
        self._taken: Counter[object] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._taken[_PROCESS]

    def take(self, actor: Actor, most: int) -> Callable[[], None]:
        """A place of `most`; answers what gives it back, once. Raises `TooMany`."""
        shares = {
            "this process": (_PROCESS, most),
            "your workspace": (actor.workspace_id, max(1, most // OF_A_WORKSPACE)),
            "your key": ((actor.workspace_id, actor.key_id, actor.subject), max(1, most // OF_A_KEY)),
        }
        for whose, (key, limit) in shares.items():
            if self._taken[key] >= limit:
                detail = (
                    f"There are {limit} streams open of {whose}, and no more are kept: close one, or ask for the run."
                )
                raise TooMany("too_many_streams", detail, retry_after=RETRY_SECONDS)
        held = [key for key, _ in shares.values()]
        self._taken.update(held)

        def give_back() -> None:
            while held:
                key = held.pop()
                self._taken[key] -= 1
                if not self._taken[key]:
                    del self._taken[key]

        return give_back


class HeldStream(EventSourceResponse):
    """A stream with its place, which is given back however the stream ends."""

    give_back: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.give_back is not None:
                self.give_back()
