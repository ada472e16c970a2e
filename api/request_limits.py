"""What a request may be before anything looks at it: its address, its head, and how long it may take to be answered.

The size of bodies is `reading.py`'s, since each address has its own; what arrives too slowly is `connections.py`'s and
`reading.py`'s.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems

LONGEST_ADDRESS = 16 * 1024
"""Bytes of path and query together."""
LARGEST_HEAD = 32 * 1024
MOST_HEADERS = 100
LONGEST_SECONDS = 330.0
"""Until an answer begins: longer than any wait a caller can ask for. A stream that has begun may last."""


class RequestLimits:
    """Refuses what is out of measure, and ends what takes too long."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if refused := _refused(scope):
            await (await problems.problem_answer(Request(scope), refused))(scope, receive, send)
            return
        await self._answered_in_time(scope, receive, send)

    async def _answered_in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        limit = asyncio.timeout(LONGEST_SECONDS)

        async def send_in_time(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self.app(scope, receive, send_in_time)
        except TimeoutError:
            if begun or not limit.expired():
                raise
            detail = (
                f"There was no answer within {LONGEST_SECONDS:.0f} seconds. What was asked may still have happened."
            )
            refused = problems.Refused(503, "request_timed_out", detail)
            await (await problems.problem_answer(Request(scope), refused))(scope, receive, send)


def _refused(scope: Scope) -> problems.Refused | None:
    address = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    if address > LONGEST_ADDRESS:
        detail = f"Path and query are {address:,} bytes; this server takes {LONGEST_ADDRESS:,}. Send more in a body."
        return problems.Refused(414, "address_too_long", detail)
    headers = scope["headers"]
    head = sum(len(name) + len(value) + 4 for name, value in headers)
    if len(headers) > MOST_HEADERS or head > LARGEST_HEAD:
        detail = (
            f"The request has {len(headers)} headers of {head:,} bytes; this server takes {MOST_HEADERS} and "
            f"{LARGEST_HEAD:,} bytes."
        )
        return problems.Refused(431, "headers_too_large", detail)
    return None
