"""Upkeep's duty about messages: mailboxes that are due are looked into, calls that nothing more is heard of are told.

Bounded, since the other duties wait meanwhile: a mail server that is slow takes a few seconds of a pass, and one that
fails is asked less and less often.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from imapclient.exceptions import IMAPClientError

from activities.http_client import HttpClient
from activities.mailbox import OpenMailbox, failure
from app.inbound.mail import read_mail
from app.services import calls, egress, mailboxes
from app.services.errors import ServiceError, Unavailable
from app.services.mailboxes import Due, Place
from app.services.platform import Platform
from app.temporal.upkeep import Duty, Trouble, UpkeepReport

AT_ONCE = 8
OF_A_WORKSPACE = 3
"""Mailboxes of one workspace that are looked into at once: those of the others must not wait for its slow servers."""
CALLS = 100
MAILBOXES = 20
"""Most calls told, and mailboxes looked into, of a workspace in one pass."""
BEGIN_SECONDS = 15.0
"""No further workspace, mailbox or mail is begun with after that."""
LOOK_SECONDS = 30.0
CLOSE_SECONDS = 3.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


class MessageDuty:
    """One a worker process."""

    def __init__(self, platform: Platform, http: HttpClient) -> None:
        self._platform = platform
        self._http = http
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mailbox")

    async def tend(self, workspace_ids: Sequence[str]) -> UpkeepReport:
        """Do the duty in these workspaces. Raises `Unavailable` without a database."""
        report, gate = UpkeepReport(), asyncio.Semaphore(AT_ONCE)
        until = asyncio.get_running_loop().time() + BEGIN_SECONDS
        done = await asyncio.gather(
            *(self._workspace(UUID(workspace_id), gate, until) for workspace_id in workspace_ids),
            return_exceptions=True,
        )
        for workspace_id, result in zip(workspace_ids, done, strict=True):
            if isinstance(result, UpkeepReport):
                report.add(result)
            elif isinstance(result, Unavailable) or not isinstance(result, Exception):
                raise result
            else:
                _log.error("upkeep: messages of workspace %s failed", workspace_id, exc_info=result)
                what = f"{type(result).__name__}; see the worker's log"
                report.note(Trouble(duty=Duty.MESSAGES.value, workspace_id=workspace_id, what=what))
        return report

    async def _workspace(self, workspace_id: UUID, gate: asyncio.Semaphore, until: float) -> UpkeepReport:
        async with gate:
            told = await calls.tell_overdue(self._platform, workspace_id, CALLS)
            if asyncio.get_running_loop().time() >= until:
                return UpkeepReport(messages_taken=told, left_over=[Duty.MESSAGES.value])
            due = await mailboxes.claim(self._platform, workspace_id, MAILBOXES)
        own_gate = asyncio.Semaphore(OF_A_WORKSPACE)

        async def look(one: Due) -> tuple[int, bool]:
            async with own_gate, gate:
                return await self._look(one, until)

        looks = await asyncio.gather(*map(look, due))
        more = told >= CALLS or len(due) >= MAILBOXES or any(left for _taken, left in looks)
        return UpkeepReport(
            messages_taken=told + sum(taken for taken, _left in looks),
            left_over=[Duty.MESSAGES.value] if more else [],
        )

    async def _look(self, due: Due, until: float) -> tuple[int, bool]:
        """How many mails were taken, and whether more are there."""
        if asyncio.get_running_loop().time() >= until:
            await mailboxes.hand_back(self._platform, due)
            return 0, True
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                policy = self._http.egress.within(
                    due.box.workspace_id, await egress.hosts_of(self._platform, due.box.workspace_id)
                )
                sock = await policy.connect(due.config.host, due.config.resolved_port)
                with cut_at_the_end(sock):
                    taken, more = await self._look_into(due, sock, until)
        except (OSError, IMAPClientError, UnicodeError) as problem:
            return await self._failed(due, failure(due.config, due.credentials, problem))
        except ServiceError:
            raise
        except Exception:
            # Whatever its server says: the others must not wait for it.
            _log.exception("mailbox %s of workspace %s", due.connection.name, due.box.workspace_id)
            return await self._failed(due, "what its server says cannot be understood; see the worker's log")
        await mailboxes.looked_into(self._platform, due, more=more)
        return taken, more

    async def _failed(self, due: Due, error: str) -> tuple[int, bool]:
        _log.warning("mailbox %s of workspace %s: %s", due.connection.name, due.box.workspace_id, error)
        await mailboxes.failed(self._platform, due, error)
        return 0, False

    async def _look_into(self, due: Due, sock: socket.socket, until: float) -> tuple[int, bool]:
        box = await self._call(lambda: OpenMailbox(sock, due.config, due.credentials, self._http.tls))
        try:
            place = await self._place(due, box)
            taken, more, place = await self._take(due, box, place, until)
            if place.tidied < place.taken:
                if due.config.after != "keep":
                    await self._call(lambda: box.tidy(place.tidied + 1, place.taken))
                await mailboxes.keep(
                    self._platform, due, place, Place(place.uid_validity, place.taken, tidied=place.taken)
                )
            return taken, more
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._call(box.close)

    async def _place(self, due: Due, box: OpenMailbox) -> Place:
        """Where the last look ended; at the first one, or when the mails were numbered anew, where to begin."""
        if due.place is not None and due.place.uid_validity == box.uid_validity:
            return due.place
        last = await self._call(lambda: box.last_before(due.since))
        place = Place(box.uid_validity, taken=last, tidied=last)
        await mailboxes.keep(self._platform, due, due.place, place)
        return place

    async def _take(self, due: Due, box: OpenMailbox, place: Place, until: float) -> tuple[int, bool, Place]:
        """Take new mails one after the other, each with its place; stops when time is over, or size."""
        taken, size = 0, 0
        for uid in await self._call(partial(box.new, place.taken)):
            if asyncio.get_running_loop().time() >= until or size >= self._platform.settings.max_call_bytes:
                return taken, True, place
            fetched = await self._call(partial(box.fetch, uid))
            behind = Place(place.uid_validity, taken=uid, tidied=place.tidied)
            if fetched is None:
                kept = await mailboxes.keep(self._platform, due, place, behind)
            else:
                received = min(fetched.at, datetime.now(UTC))
                mail = await self._call(partial(read_mail, fetched.raw, received, truncated=fetched.truncated))
                kept = await mailboxes.take(self._platform, due, mail, place, behind)
                taken, size = taken + 1, size + len(fetched.raw)
            if not kept:
                return taken, False, place
            place = behind
        return taken, False, place

    async def _call(self, do: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, do)


@contextmanager
def cut_at_the_end(sock: socket.socket) -> Iterator[None]:
    """Cut the connection in the end, under whatever thread still waits for it: a server that says a word every few
    seconds would keep it for ever. TLS takes the socket itself away, so that another one for the same does it."""
    line = sock.dup()
    try:
        yield
    finally:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.close()
        sock.close()
