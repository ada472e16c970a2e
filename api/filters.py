"""Which runs a request means: the same names and checks in an address and in a body."""

from typing import get_args

from api.schemas.runs import RunFilterRequest, RunStatus
from app.definition.problems import Problem
from app.services.errors import Invalid
from app.services.runs import RunFilter

STATUSES = get_args(RunStatus)


def statuses(text: str | None, place: str) -> list[str]:
    """The statuses of a comma-separated list; None is any. Raises `Invalid` naming `place`."""
    if text is None:
        return []
    wanted = [part.strip() for part in text.split(",")]
    if unknown := [part for part in wanted if part not in STATUSES]:
        raise _invalid(Problem(place, f"unknown: {', '.join(unknown)}", f"known: {', '.join(STATUSES)}"))
    return wanted


def filter_of(request: RunFilterRequest) -> RunFilter:
    """The filter of a body, which must name a condition unless it says `all`. Raises `Invalid`."""
    conditions = request.model_dump(exclude={"all"}, exclude_none=True)
    if not any(conditions.values()) and not request.all:
        raise _invalid(Problem("filter", "names no condition", 'name one, or say "all": true'))
    return RunFilter(
        workflow_id=request.workflow_id,
        statuses=statuses(request.status, "filter.status"),
        trigger=request.trigger,
        started_after=request.started_after,
        started_before=request.started_before,
        waiting_for=request.waiting_for,
        parent_run_id=request.parent_run_id,
        text=request.q or None,
    )


def _invalid(problem: Problem) -> Invalid:
    return Invalid("invalid_request", f"{problem.path}: {problem.message}; {problem.hint}", [problem])
