"""How a walk leaves its path: a step that failed, a run that is told to stop, a walk that goes on elsewhere.

StepFailed    (Exception)      error policies catch it
RunStopped    (BaseException)  they must not: a `stop` step ends the run from any depth
Suspended     (BaseException)  they must not: the walk goes on in the run's next execution

Nothing here acts.
"""

from typing import NoReturn

from app.catalog.errors import ErrorType
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord


class StepFailed(Exception):
    """A step failed for good. `error` is the language's shape; `step_id` and `path` name the innermost failed step."""

    def __init__(
        self,
        type: str,
        message: str,
        *,
        retryable: bool | None = None,
        provider_code: str | None = None,
        step_id: str = "",
        path: str = "",
        decided: bool = False,
    ) -> None:
        super().__init__(message)
        self.decided = decided
        """An operator let it fail: `on_failure: hold` does not ask again further up."""
        self.type = type
        self.message = message
        self.retryable = _retryable(type) if retryable is None else retryable
        self.provider_code = provider_code
        self.step_id = step_id
        self.path = path

    def at(self, step_id: str, path: str) -> "StepFailed":
        """The same failure, placed at a step unless an inner step has claimed it."""
        if not self.path:
            self.step_id, self.path = step_id, path
        return self

    def as_step_error(self) -> JsonObject:
        """`{type, message, retryable, provider_code}`, as step records show it."""
        return {
            "type": self.type,
            "message": self.message,
            "retryable": self.retryable,
            "provider_code": self.provider_code,
        }

    def as_run_error(self) -> JsonObject:
        """`{type, message, step_id, path}`, as runs and `error_steps` show it."""
        return {
            "type": self.type,
            "message": self.message,
            "step_id": self.step_id or None,
            "path": self.path or None,
        }


def recorded_failure(record: StepRecord) -> StepFailed:
    """The failure of a step that failed before the walk came by again."""
    error = record.error or {}
    path = record.failed_path or record.path
    return StepFailed(
        error.get("type", ErrorType.INTERNAL.value),
        error.get("message", "the step failed"),
        retryable=error.get("retryable"),
        provider_code=error.get("provider_code"),
        step_id=step_id_of(path),
        path=path,
        decided=(record.decision or {}).get("decision") == "fail",
    )


def step_id_of(path: str) -> str:
    """The id of the step at this path: `nudge` for `each[3].nudge`."""
    return path.rpartition(".")[2]


class RunStopped(BaseException):
    """A `stop` step or a limit of the run was reached. No `Exception`: no error policy may take it for a failure."""

    def __init__(
        self,
        *,
        status: str,
        reason: str,
        output: Json = None,
        step_id: str | None = None,
        path: str | None = None,
        type: ErrorType = ErrorType.STOPPED,
    ) -> None:
        super().__init__(reason)
        self.type = type
        self.status = status
        self.reason = reason
        self.output = output
        self.step_id = step_id
        self.path = path


class Suspended(BaseException):
    """The history is full: what is under way ends here as it stands, and the next execution goes on from the journal.

    Not an `Exception`, for the same reason; and no cancellation, since nothing is undone.
    """


def fail(type: ErrorType, message: str) -> NoReturn:
    """Fail the step being walked; the interpreter adds which one it is."""
    raise StepFailed(type.value, message)


def _retryable(type: str) -> bool:
    try:
        return ErrorType(type).retryable
    except ValueError:
        return False
