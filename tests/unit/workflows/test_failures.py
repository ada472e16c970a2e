"""Failures and stops: where they are placed and what catches them."""

import asyncio

import pytest

from app.catalog.errors import ErrorType
from workflows.failures import RunStopped, StepFailed, fail
from workflows.tasks import failure


def test_the_innermost_step_claims_a_failure() -> None:
    failed = StepFailed("expression", "no").at("inner", "outer.inner").at("outer", "outer")
    assert failed.as_run_error() == {
        "type": "expression",
        "message": "no",
        "step_id": "inner",
        "path": "outer.inner",
    }


def test_a_failure_of_no_step_says_so() -> None:
    assert StepFailed("expression", "no").as_run_error()["step_id"] is None


@pytest.mark.parametrize(("type", "retryable"), [("timeout", True), ("expression", False), ("of their own", False)])
def test_whether_trying_again_can_help_goes_by_the_type(type: str, retryable: bool) -> None:
    assert StepFailed(type, "no").as_step_error()["retryable"] is retryable


def test_fail_names_a_type_of_the_catalog() -> None:
    with pytest.raises(StepFailed) as failed:
        fail(ErrorType.LIMIT_EXCEEDED, "too many")
    assert failed.value.type == "limit_exceeded"


def test_no_policy_that_catches_exceptions_catches_a_stop() -> None:
    assert not issubclass(RunStopped, Exception)


async def test_a_stop_comes_before_failures_and_those_by_position() -> None:
    async def leave(error: BaseException | None) -> None:
        if error is not None:
            raise error

    stop = RunStopped(status="completed", reason="", output=None, step_id="s", path="s")
    first, second = StepFailed("a", "first"), StepFailed("b", "second")

    async def ended(*errors: BaseException | None) -> list["asyncio.Task[None]"]:
        tasks = [asyncio.create_task(leave(error)) for error in errors]
        await asyncio.gather(*tasks, return_exceptions=True)
        return tasks

    assert failure(await ended(None, first, second)) is first
    assert failure(await ended(first, stop, second)) is stop
    assert failure(await ended(None, None)) is None
    assert failure(await ended(asyncio.CancelledError(), second)) is second
