"""A count that goes up: a bar on a terminal with lines above it, lines alone in a pipe."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.output import stdout


class Bar:
    """`with Bar("pausing", 40) as bar: ...`; `shown=False` keeps it all silent, for `--json`."""

    def __init__(self, what: str, total: int | None, *, shown: bool = True, console: Console | None = None) -> None:
        """`total` None: not known yet. What is printed meanwhile must go through `line`, or it is drawn over."""
        self._shown = shown
        self._console = console or stdout()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
        )
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def expect(self, total: int) -> None:
        """How far it will go."""
        self._progress.update(self._task, total=total)

    def advance(self, by: int = 1) -> None:
        """So many more are done."""
        self._progress.advance(self._task, by)

    def line(self, text: str) -> None:
        """A line that stays; rich's markup applies."""
        if self._shown:
            self._console.print(text)
