"""What Temporal answers to an update, and what becomes of it. Each answer is one its server gives, in its own terms."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from app.services import steering
from app.services.errors import Conflict, Invalid, Unavailable
from app.services.platform import Platform
from app.services.steering import NotUnderWay, update
from app.temporal import names

RUN = UUID("01890000-0000-7000-8000-000000000000")
RUNNING, COMPLETED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED
PLATFORM = cast(Platform, None)


def failed(type: str) -> WorkflowUpdateFailedError:
    return WorkflowUpdateFailedError(ApplicationError("in plain words", type=type, non_retryable=True))


def rpc(status: RPCStatusCode) -> RPCError:
    return RPCError("workflow update was aborted by closing workflow", status, b"")


UNFINISHED = failed("AcceptedUpdateCompletedWorkflow")
CLOSING = rpc(RPCStatusCode.NOT_FOUND)


class Script:
    """The answers of a server, one after the other, and the ids of the updates it was sent."""

    def __init__(self, *answers: object, status: WorkflowExecutionStatus = RUNNING) -> None:
        self.answers = list(answers)
        self.status = status
        self.ids: list[str] = []

    async def execute_update(self, name: str, argument: object, *, id: str, result_type: object) -> object:
        self.ids.append(id)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def describe(self, **_: Any) -> Any:
        return SimpleNamespace(status=self.status)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a script answer."""
    monkeypatch.setattr(steering, "PAUSE_SECONDS", 0.001)

    def let(*answers: object, status: WorkflowExecutionStatus = RUNNING) -> Script:
        script = Script(*answers, status=status)

        async def handle_of(*_: object) -> Script:
            return script

        monkeypatch.setattr(steering, "handle_of", handle_of)
        return script

    return let


async def test_an_update_that_meets_the_end_of_an_execution_is_sent_again_to_the_next(server: Any) -> None:
    script = server(CLOSING, rpc(RPCStatusCode.FAILED_PRECONDITION), ["paid"])
    assert await update(PLATFORM, RUN, names.SIGNAL_EVENT_UPDATE, {}) == ["paid"]
    assert len(script.ids) == 3
    assert len(set(script.ids)) == 1, "an execution that took it already must know it"


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        (names.PAUSE_UPDATE, names.ALREADY_PAUSED),
        (names.RESUME_UPDATE, names.NOT_PAUSED),
        (names.DECIDE_UPDATE, names.NOT_HELD),
        (names.SIGNAL_EVENT_UPDATE, names.NOT_WAITING),
    ],
)
async def test_what_an_execution_took_on_before_it_ended_is_done(server: Any, name: str, refusal: str) -> None:
    server(UNFINISHED, failed(refusal))
    assert await update(PLATFORM, RUN, name, None) is None
    server(UNFINISHED, status=COMPLETED)
    assert await update(PLATFORM, RUN, name, None) is None
    server(failed(refusal))
    with pytest.raises(Conflict) as told:
        await update(PLATFORM, RUN, name, None)
    assert (told.value.code, told.value.detail) == (refusal, f"Run {RUN}: in plain words.")


async def test_what_an_execution_took_on_may_be_refused_by_the_next_for_another_reason(server: Any) -> None:
    server(UNFINISHED, failed(names.RUN_ENDING))
    with pytest.raises(Conflict):
        await update(PLATFORM, RUN, names.PAUSE_UPDATE, None)


async def test_a_decision_that_does_not_fit_is_no_matter_of_state(server: Any) -> None:
    server(failed(names.INVALID_DECISION))
    with pytest.raises(Invalid):
        await update(PLATFORM, RUN, names.DECIDE_UPDATE, None)


async def test_a_run_that_has_ended_in_temporal_takes_nothing(server: Any) -> None:
    server(CLOSING, status=COMPLETED)
    with pytest.raises(NotUnderWay):
        await update(PLATFORM, RUN, names.PAUSE_UPDATE, None)


async def test_a_worker_that_does_not_know_the_update_is_of_another_release(server: Any) -> None:
    server(failed("RuntimeError"))
    with pytest.raises(Unavailable, match="another release"):
        await update(PLATFORM, RUN, names.PAUSE_UPDATE, None)


async def test_a_run_whose_tasks_fail_is_not_asked_for_ever(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "UPDATE_SECONDS", 0.05)
    server(*[rpc(RPCStatusCode.FAILED_PRECONDITION)] * 1000)
    with pytest.raises(Unavailable) as told:
        await update(PLATFORM, RUN, names.PAUSE_UPDATE, None)
    assert told.value.code == "worker_unavailable"
