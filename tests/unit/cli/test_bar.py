"""A count that goes up, on a terminal and in a pipe."""

import io

from rich.console import Console

from app.cli.bar import Bar


def shown(*, terminal: bool, silent: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, color_system=None)
    with Bar("pausing", None, shown=not silent, console=console) as bar:
        bar.expect(2)
        bar.advance()
        bar.line("run 1 paused")
        bar.advance()
    return file.getvalue()


def test_a_terminal_gets_a_bar_with_lines_above_it() -> None:
    text = shown(terminal=True)

    assert "pausing" in text
    assert "2/2" in text
    assert "run 1 paused" in text


def test_a_pipe_gets_the_lines_alone() -> None:
    assert shown(terminal=False) == "run 1 paused\n"


def test_nothing_is_shown_beside_json() -> None:
    assert shown(terminal=True, silent=True) == ""
