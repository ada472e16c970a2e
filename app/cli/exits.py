"""Exit codes and the one exception that carries them. Scripts match on these; they are listed in every `--help`."""

from collections.abc import Sequence
from enum import IntEnum

from app.json import JsonObject


class ExitCode(IntEnum):
    """What the command's end means."""

    OK = 0
    RUN_FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    NOT_ALLOWED = 6
    BROKEN = 7
    STILL_RUNNING = 8
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.RUN_FAILED: "the run failed, was cancelled or timed out, or would not replay",
    ExitCode.USAGE: "the command was not understood",
    ExitCode.NOT_FOUND: "what was named is not there",
    ExitCode.REFUSED: "refused: invalid, in conflict, a port or folder in use",
    ExitCode.UNREACHABLE: "the API, Temporal or the database cannot be reached",
    ExitCode.NOT_ALLOWED: "no API key, or a wrong one",
    ExitCode.BROKEN: "a server failed",
    ExitCode.STILL_RUNNING: "the run has not ended within the time given",
    ExitCode.INTERRUPTED: "interrupted",
}

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."


class CliError(Exception):
    """The command cannot go on. `problems` are `{path, message, hint}`, shown one a line."""

    def __init__(
        self, exit_code: ExitCode, message: str, *, code: str | None = None, problems: Sequence[JsonObject] = ()
    ) -> None:
        """`code` is a slug for scripts, by default the exit code's name."""
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.code = code or exit_code.name.lower()
        self.problems = list(problems)

    def as_json(self) -> JsonObject:
        """What `--json` prints on standard error."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "errors": self.problems,
                "exit_code": int(self.exit_code),
            }
        }
