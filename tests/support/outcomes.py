"""What of a finished run must not depend on how it came about: how many executions it took, say."""

from typing import Any

from app.json import Json
from tests.support.engine import Finished
from tests.support.http_stub import HttpStub

VOLATILE = {"headers", "duration_ms", "until", "started_at", "finished_at"}
"""What differs between two runs of the same definition."""


def steady(value: Json) -> Json:
    """The value without what differs between two runs."""
    if isinstance(value, list):
        return [steady(part) for part in value]
    if isinstance(value, dict):
        return {name: steady(part) for name, part in value.items() if name not in VOLATILE}
    return value


def rows(done: Finished) -> dict[str, Any]:
    """The steps' rows by path."""
    return {
        path: (row.type, row.status, row.attempt, row.generation, steady(row.output), _error(row.error))
        for path, row in done.steps.items()
    }


def outcome(done: Finished, stub: HttpStub) -> dict[str, Any]:
    """The run as its user sees it, and what the provider saw of it."""
    return {
        "status": done.run.status,
        "output": steady(done.run.output),
        "error": _error(done.run.error),
        "variables": done.run.variables,
        "completed": done.run.steps_completed,
        "steps": rows(done),
        "effects": stub.effects(done.run.id),
    }


def _error(error: Json) -> Json:
    """Messages of waits name their deadline."""
    if isinstance(error, dict) and error.get("type") == "wait_timed_out":
        return {name: part for name, part in error.items() if name != "message"}
    return error
