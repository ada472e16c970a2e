"""The one generic Temporal workflow: input, messages, continuing as new, ending. The walk is the interpreter's.

Deterministic code only: no I/O, no clock but the workflow's. Every change must keep the stored histories replaying.
"""

import asyncio
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from app.definition.durations import parse_moment
    from app.definition.model import Definition
    from app.definition.parse import parse
    from app.json import Json, JsonObject, json_size
    from app.temporal import names
    from app.temporal.child_messages import ChildEnded
    from app.temporal.messages import (
        WALK,
        ApprovalAnswer,
        Decision,
        DeliveredEvent,
        JournalState,
        RunInput,
        RunResult,
        SignalledEvent,
        Timeline,
    )
    from app.temporal.plain import CarriedInput, as_plain
    from workflows import approving, ending, lost, messages, shown
    from workflows.failures import Suspended
    from workflows.interpreter import run_steps
    from workflows.recorder import Recorder
    from workflows.resting import due, remaining
    from workflows.scope import Scope
    from workflows.state import RunState, now_text
    from workflows.tasks import limited


CACHED_DEFINITIONS = 512
MOST_CARRIED = 16 * 1024 * 1024
"""Bytes a run may take along into its next execution."""
_PARSED: dict[str, Definition] = {}


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class Automation:
    """One run of a published definition."""

    @workflow.init
    def __init__(self, input: RunInput) -> None:
        self._state = RunState(input)
        self._recorder = Recorder(self._state)
        self._scope = Scope(state=self._state, recorder=self._recorder, walk=run_steps)

    @workflow.run
    async def run(self, input: RunInput) -> RunResult:
        """Walk the definition, run its `finally`, record the end. A failed run fails its Temporal workflow too."""
        self._state.definition = _parsed(input)
        while True:
            try:
                result = await self._to_the_end()
                break
            except Suspended:
                await self._continue_as_new()
        await self._record_end(result)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.upsert_search_attributes([names.STATUS.value_set(result.status), names.WAITING_FOR.value_unset()])
        return _answer(result)

    # Messages

    @workflow.signal(name=names.DELIVER_EVENT_SIGNAL)
    def deliver_event(self, delivered: DeliveredEvent) -> None:
        """An event matched waits of this run. The same event twice counts once."""
        messages.deliver(self._state, delivered.paths, delivered.event)

    @workflow.signal(name=names.CHILD_ENDED_SIGNAL)
    def child_ended(self, ended: ChildEnded) -> None:
        """A run that a step of this one started has ended. Told twice, it counts once."""
        messages.child_ended(self._state, ended)

    @workflow.update(name=names.SIGNAL_EVENT_UPDATE)
    def signal_event(self, signalled: SignalledEvent) -> list[str]:
        """An event for this run alone; answers the paths of the waits it ends."""
        return messages.deliver(self._state, messages.paths_for(self._state, signalled), signalled.event)

    @signal_event.validator
    def _check_signal_event(self, signalled: SignalledEvent) -> None:
        messages.check_signal(self._state, signalled)

    @workflow.update(name=names.PAUSE_UPDATE)
    async def pause(self, by: str | None = None) -> None:
        """Begin no further step until resumed; what is under way goes on."""
        self._state.note_message(0)
        self._state.paused = True
        await self._recorder.show_status()

    @pause.validator
    def _check_pause(self, by: str | None = None) -> None:
        messages.check_pause(self._state)

    @workflow.update(name=names.RESUME_UPDATE)
    async def resume(self, by: str | None = None) -> None:
        """Go on after a pause."""
        self._state.note_message(0)
        self._state.paused = False
        await self._recorder.show_status()

    @resume.validator
    def _check_resume(self, by: str | None = None) -> None:
        messages.check_resume(self._state)

    @workflow.update(name=names.DECIDE_UPDATE)
    def decide(self, decision: Decision) -> None:
        """What becomes of a held step."""
        self._state.note_message(json_size([decision.inputs, decision.output]))
        self._state.decisions[decision.path] = decision

    @decide.validator
    def _check_decide(self, decision: Decision) -> None:
        messages.check_decision(self._state, decision)

    @workflow.update(name=names.APPROVE_UPDATE)
    def approve(self, answer: ApprovalAnswer) -> JsonObject:
        """Somebody's answer to an open approval. The same answer twice counts once."""
        return approving.answer(self._state, answer)

    @approve.validator
    def _check_approve(self, answer: ApprovalAnswer) -> None:
        approving.check(self._state, answer)

    @workflow.query(name=names.TIMELINE_QUERY)
    def timeline(self) -> Timeline:
        """The run as it stands, steps in the order they began."""
        return shown.timeline(self._state)

    @workflow.query(name=names.JOURNAL_QUERY)
    def journal(self) -> JournalState:
        """What a redrive of the run begins with."""
        return self._state.journal.state()

    # The way of a run

    async def _to_the_end(self) -> RunResult:
        state = self._state
        if state.ending is None:
            ended = await ending.ending_of(self._whole(), state)
            await lost.take_in(self._scope, ended)
            ending.begin(state, ended)
        else:
            ended = state.ending
            ending.reopen(self._scope)
        return await ending.close(self._scope, ended)

    async def _whole(self) -> Json:
        state = self._state
        limit = state.definition.settings.timeout
        if limit is not None and state.deadline is None:
            state.deadline = due(self._scope.duration(limit, "settings.timeout").total_seconds())
        if state.deadline is None:
            return await self._body()
        state.history.timer()
        return await limited(self._body(), remaining(parse_moment(state.deadline)) or 0.0)

    async def _body(self) -> Json:
        definition, journal = self._state.definition, self._state.journal
        if self._state.is_new:
            known = journal.first_variables
            missing = {name: value for name, value in definition.variables.items() if name not in known}
            first = {**self._scope.evaluate(missing, "variables"), **self._state.input.variables, **known}
            journal.variables = {**first, **journal.variables}
            journal.first_variables = first
        await self._scope.run(definition.steps)
        return self._scope.evaluate(definition.output, "output")

    async def _continue_as_new(self) -> None:
        """Go on in a new execution with the journal. Returns when that cannot be: the run ends here then."""
        state = self._state
        await self._write_all()
        carry = as_plain(state.carry())
        size = json_size(carry)
        if size <= MOST_CARRIED:
            workflow.continue_as_new(
                args=[CarriedInput(as_plain(replace(state.input, carry=None, walk=WALK)), carry=carry)],
                # The moment at which a run that is pinned to a version of the workers moves to the current one.
                initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )
        state.must_stay = True
        if state.ending is None:
            ending.begin(state, ending.too_large(size, MOST_CARRIED))

    async def _write_all(self) -> None:
        """Everything that is unwritten goes into the database: the journal takes no rows along."""
        while True:
            try:
                await self._recorder.flush()
                await workflow.wait_condition(workflow.all_handlers_finished)
                return
            except asyncio.CancelledError:
                # The next execution would not know of it.
                ending.forget_cancellation()
                if self._state.ending is None:
                    ending.begin(self._state, ending.cancelled())

    async def _record_end(self, result: RunResult) -> None:
        """Write how the run ended. A cancellation that comes this late changes nothing but must not lose the record."""
        finished_at = now_text()
        while True:
            try:
                await self._recorder.end(result, finished_at)
                return
            except asyncio.CancelledError:
                ending.forget_cancellation()


def _answer(result: RunResult) -> RunResult:
    if result.status in ("failed", "timed_out"):
        error = result.error or {}
        raise ApplicationError(error["message"], error, type=error["type"], non_retryable=True)
    if result.status == "cancelled" and workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError
    return result


def _parsed(input: RunInput) -> Definition:
    """The definition, parsed once a process: versions are immutable, so the digest names the result."""
    definition = _PARSED.get(input.digest)
    if definition is None:
        if len(_PARSED) >= CACHED_DEFINITIONS:
            _PARSED.clear()
        definition = _PARSED[input.digest] = parse(input.definition)
    return definition
