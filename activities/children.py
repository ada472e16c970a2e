"""The activities between a run and the runs it starts, and of its answer. They stand between Temporal and services.

All of them may run twice: the services make that harmless.
"""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from app.observing import context
from app.services import answering, children
from app.services.platform import Platform
from app.temporal import names
from app.temporal.child_messages import CancelChild, KeepResponse, KeptResponse, StartChild, StartedChild


class ChildActivities:
    """Bound to the process's platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def activities(self) -> list[Callable[..., Any]]:
        """Everything here, for the worker."""
        return [self.start_child, self.cancel_child, self.respond]

    @activity.defn(name=names.START_CHILD_ACTIVITY)
    async def start_child(self, asked: StartChild) -> StartedChild:
        """Start a run for a step of another one, or find it."""
        context.note(workspace_id=asked.workspace_id, run_id=asked.run_id, step=asked.path)
        return await children.start_child(self._platform, asked)

    @activity.defn(name=names.CANCEL_CHILD_ACTIVITY)
    async def cancel_child(self, given_up: CancelChild) -> None:
        """Cancel the run of a step that gave it up."""
        context.note(workspace_id=given_up.workspace_id, run_id=given_up.run_id)
        await children.cancel_child(self._platform, given_up)

    @activity.defn(name=names.RESPOND_ACTIVITY)
    async def respond(self, answer: KeepResponse) -> KeptResponse:
        """Keep a run's answer to the call that started it."""
        context.note(workspace_id=answer.workspace_id, run_id=answer.run_id, step=answer.path)
        return await answering.keep(self._platform, answer)
