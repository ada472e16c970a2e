"""One life of the group: up, a word about where things are, kept alive until Ctrl-C or SIGTERM, down again in order."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine

import psutil
from rich.markup import escape

from app.cli.exits import ExitCode
from app.cli.group import Group, Ready
from app.cli.output import print_json_line, say
from app.cli.preflight import refusal
from app.cli.progress import JsonReport, PlainReport, report_for
from app.cli.state import API_KEY
from app.embedded.errors import EmbeddedError
from app.settings import Settings


def supervise(settings: Settings, *, as_json: bool) -> ExitCode:
    """Run the group until told to stop, with the lock held by the caller.

    Raises `CliError` when it cannot be started or a part keeps ending.
    """
    return asyncio.run(_Life(settings, report_for(as_json=as_json), as_json=as_json).run())


class _Life:
    def __init__(self, settings: Settings, report: PlainReport | JsonReport, *, as_json: bool) -> None:
        self._group = Group(settings, report)
        self._report = report
        self._as_json = as_json
        self._told = asyncio.Event()
        self._forced = False

    async def run(self) -> ExitCode:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_asked)
        try:
            await self._until_told(self._up())
        except EmbeddedError as error:
            raise refusal(error) from error
        finally:
            self._report.close()
            await self._group.stop()
        return ExitCode.INTERRUPTED if self._forced else ExitCode.OK

    async def _up(self) -> None:
        ready = await self._group.start()
        self._report.close()
        self._announce(ready)
        await self._group.watch()

    async def _until_told(self, work: Coroutine[None, None, None]) -> None:
        working, told = asyncio.ensure_future(work), asyncio.ensure_future(self._told.wait())
        await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if working.done():
            working.result()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError, EmbeddedError):
            await working

    def _stop_asked(self) -> None:
        """The first time stops in order, the second time at once."""
        if self._told.is_set():
            self._forced = True
            self._group.kill()
        elif not self._as_json:
            self._report.close()
            say("[dim]stopping; Ctrl-C again to force[/]")
        self._told.set()

    def _announce(self, ready: Ready) -> None:
        settings = ready.settings
        seconds = time.time() - psutil.Process().create_time()
        if self._as_json:
            print_json_line(
                {
                    "event": "up",
                    "seconds": round(seconds, 3),
                    "api_url": settings.resolved_api_url,
                    "docs_url": ready.docs_url,
                    "temporal_ui_url": ready.temporal_ui_url,
                    "temporal_address": settings.resolved_temporal_address,
                    "api_key": ready.api_key,
                    "data_dir": str(settings.data_dir),
                }
            )
            return
        data_dir = escape(str(settings.data_dir))
        say(f"\n[bold green]Holdfast is up[/] [dim]({seconds:.1f} s)[/]\n")
        say(f"  API docs      {ready.docs_url}")
        say(f"  Temporal UI   {ready.temporal_ui_url}")
        say(f"  API key       {ready.api_key}  [dim]({data_dir}/{API_KEY})[/]")
        say(f"  Logs          {data_dir}/logs")
        say("\n[dim]Ctrl-C stops all of it; runs under way go on at the next start.[/]")
