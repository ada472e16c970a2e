"""Answers that take long: whoever waits for one must be let in for as long as it takes. A key that is revoked, a token
that runs out, a role that is taken away, a workspace that is suspended end them within seconds, not with the run."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from api import permissions
from api.dependencies import platform_of
from app.services import signing_in, standing
from app.services.errors import ServiceError, Unavailable

CHECK_SECONDS = 5.0
"""From one look to the next. What another process did shows a little later still (`platform.actors`)."""

T = TypeVar("T")


async def waited_for(request: Request, answer: Coroutine[Any, Any, T]) -> T:
    """The answer. Raises what signing in now would, once whoever asks is let in no more."""
    coming = asyncio.create_task(answer)
    try:
        while not (await asyncio.wait({coming}, timeout=CHECK_SECONDS))[0]:
            await _require_still(request)
        return coming.result()
    finally:
        await _dropped(coming)


async def while_let_in(request: Request, source: AsyncGenerator[T]) -> AsyncIterator[T]:
    """What comes, until whoever asks is let in no more: then it ends, and connecting again says why."""
    clock = asyncio.get_running_loop()
    looked_at = clock.time()
    coming = asyncio.ensure_future(anext(source))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=max(0.0, looked_at + CHECK_SECONDS - clock.time()))
            if clock.time() - looked_at >= CHECK_SECONDS:
                looked_at = clock.time()
                if not await _is_still_let_in(request):
                    return
            if done:
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                yield item
                coming = asyncio.ensure_future(anext(source))
    finally:
        await _dropped(coming)
        await source.aclose()


async def pages_while_let_in(request: Request, pages: AsyncIterator[T]) -> AsyncIterator[T]:
    """The pages of a file, as long as whoever asks is let in. Raises what signing in then would, so that the file
    breaks off: one that is not whole must not look as if it were."""
    clock = asyncio.get_running_loop()
    looked_at = clock.time()
    async for page in pages:
        if clock.time() - looked_at >= CHECK_SECONDS:
            await _require_still(request)
            looked_at = clock.time()
        yield page


async def _is_still_let_in(request: Request) -> bool:
    try:
        await _require_still(request)
    except ServiceError:
        return False
    return True


async def _require_still(request: Request) -> None:
    """Raises what keeps the caller out by now. A database that is away keeps out nobody who is in."""
    platform = platform_of(request)
    try:
        actor = await signing_in.authenticate(platform, *request.state.credentials)
        await standing.require_usable(platform, actor.workspace_id)
    except Unavailable:
        return
    permissions.require(request, actor)


async def _dropped(task: "asyncio.Future[Any]") -> None:
    if not task.done():
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
