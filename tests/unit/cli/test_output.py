"""How results and errors look."""

import json

import pytest

from app.cli.exits import MEANINGS, CliError, ExitCode
from app.cli.output import duration, say, show_error, status, table, text

PROBLEM = {"path": "steps[0].type", "message": "unknown step type [x]", "hint": "did you mean 'delay'?"}


def test_a_problem_is_shown_as_path_message_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(CliError(ExitCode.REFUSED, "it has problems", problems=[PROBLEM]), as_json=False)

    assert capsys.readouterr().err.splitlines() == [
        "error: it has problems",
        "  steps[0].type: unknown step type [x]",
        "    did you mean 'delay'?",
    ]


def test_an_error_for_scripts_is_json_on_standard_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(CliError(ExitCode.REFUSED, "no", code="workflow_active", problems=[PROBLEM]), as_json=True)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err) == {
        "error": {"code": "workflow_active", "message": "no", "errors": [PROBLEM], "exit_code": 4}
    }


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_a_table_in_a_pipe_is_neither_cut_nor_folded(capsys: pytest.CaptureFixture[str]) -> None:
    table(["A", "B"], [["x" * 300, "y" * 300]])

    assert capsys.readouterr().out.splitlines()[1] == f"{'x' * 300}  {'y' * 300}"


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0, "0 ms"), (312, "312 ms"), (4200, "4.2 s"), (185_000, "3 min 5 s"), (None, "")]
)
def test_a_duration_is_readable(milliseconds: int | None, shown: str) -> None:
    assert duration(milliseconds) == shown


def test_text_from_outside_is_never_read_as_markup() -> None:
    assert status("[bold]") == r"\[bold]"


def test_text_from_outside_is_never_read_as_an_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    say("error 12:warning:34")

    assert capsys.readouterr().out == "error 12:warning:34\n"


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert text("\x1b[2Jgone\r\nnext") == "\ufffd[2Jgone\ufffd\nnext"
