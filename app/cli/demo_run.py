"""The servers under `holdfast demo`: those of a running `dev`, or a group of its own that ends with it.

The story is told from a thread, since the providers it needs live on this thread's loop; the thread is given up, not
waited for, when the demo is interrupted.
"""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from app.cli.client import open_api
from app.cli.demo_providers import open_providers
from app.cli.demo_story import Story
from app.cli.demo_view import JsonStage, Stage, TerminalStage
from app.cli.exits import CliError, ExitCode
from app.cli.group import Group
from app.cli.preflight import refusal
from app.cli.progress import report_for
from app.cli.state import locked, running_group
from app.embedded.errors import EmbeddedError
from app.embedded.ports import free_port, is_free
from app.settings import Settings

_STORY_SECONDS = 180.0
_READY_SECONDS = 60.0
_PORTS = ("api_port", "temporal_port", "temporal_ui_port")

T = TypeVar("T")


def run_demo(settings: Settings, *, keep: bool, as_json: bool) -> ExitCode:
    """Play once; the code says whether every promise was kept. Raises `CliError` when it cannot be played."""
    return asyncio.run(_Demo(settings, keep=keep, as_json=as_json).run())


class _Demo:
    def __init__(self, settings: Settings, *, keep: bool, as_json: bool) -> None:
        self._settings = settings
        self._keep = keep
        self._as_json = as_json
        self._stage: Stage = JsonStage() if as_json else TerminalStage()

    async def run(self) -> ExitCode:
        task = asyncio.current_task()
        assert task is not None
        # Ctrl-C cancels this task already; being told to end shall do the same, so that nothing is left running.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            async with self._holdfast() as api_url, open_providers() as providers:
                with open_api(api_url, self._settings.data_dir) as api:
                    story = Story(api, providers, self._stage)
                    try:
                        ending = await _in_thread(story.play, within=_STORY_SECONDS)
                    finally:
                        story.leave()
                if self._keep:
                    self._stage.say("[dim]the servers stay up until Ctrl-C[/]")
                    await asyncio.Event().wait()
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED
        except EmbeddedError as error:
            raise refusal(error) from error
        return ExitCode.OK if ending.well else ExitCode.RUN_FAILED

    @asynccontextmanager
    async def _holdfast(self) -> AsyncIterator[str]:
        """Address of an API that is ready."""
        data_dir = self._settings.data_dir
        if self._settings.api_url is not None:
            yield await _ready(self._settings.resolved_api_url)
        elif (running := running_group(data_dir)) is not None:
            self._stage.say(f"[green]✓[/] using the Holdfast that runs in {data_dir}; it stays up")
            yield await _ready(running.api_url)
        else:
            with locked(data_dir):
                async with self._own_group() as api_url:
                    yield api_url

    @asynccontextmanager
    async def _own_group(self) -> AsyncIterator[str]:
        report = report_for(as_json=self._as_json)
        group = Group(self._with_free_ports(), report)
        try:
            ready = await group.start()
            report.close()
            self._stage.say("")
            yield ready.settings.resolved_api_url
            self._stage.say("[dim]stopping what was started; `make dev` brings it back, with this run in it[/]")
        finally:
            report.close()
            await group.stop()

    def _with_free_ports(self) -> Settings:
        """Ports somebody else uses are replaced, unless they were asked for."""
        changes: dict[str, int] = {}
        for name in _PORTS:
            port = getattr(self._settings, name)
            if name not in self._settings.model_fields_set and not is_free(port):
                changes[name] = free_port()
                self._stage.say(f"[dim]port {port} is in use; this demo takes {changes[name]}[/]")
        return self._settings.model_validate({**self._settings.model_dump(exclude_unset=True), **changes})


async def _ready(url: str) -> str:
    """The address, once the API there is ready; raises `CliError` when it does not become so."""
    deadline = time.monotonic() + _READY_SECONDS
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while True:
            try:
                answer = await client.get(f"{url}/readyz")
                if answer.status_code == 200:
                    return url
                amiss = f"answers {answer.status_code}: {answer.text}"
            except httpx.HTTPError as error:
                amiss = f"does not answer ({error or type(error).__name__})"
            if time.monotonic() >= deadline:
                raise CliError(ExitCode.UNREACHABLE, f"{url}/readyz {amiss}")
            await asyncio.sleep(0.2)


async def _in_thread(function: Callable[[], T], *, within: float) -> T:
    """The function's result, from a thread that is left to itself when nobody waits for it any longer."""
    result: Future[T] = Future()
    # Running, it cannot be cancelled: the thread may set it at any time, whoever still looks.
    result.set_running_or_notify_cancel()

    def work() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=work, name="demo", daemon=True).start()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(result), within)
    except TimeoutError:
        raise CliError(
            ExitCode.STILL_RUNNING, f"the demo's run was not done within {within:g} seconds: see `holdfast runs list`"
        ) from None
