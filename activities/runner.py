"""Turns registered actions into Temporal activities: one attempt, with its outcome kept before it is answered.

The order is the promise: look for the stored outcome (where there can be one), do the effect, commit the outcome,
answer. A death between effect and commit is the only window in which an effect can happen twice, and the provider has
its key. An effect on our own database has no such window: it is committed with its outcome. Actions themselves live in
their category's module.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from traceback import format_exception
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

import activities.email
import activities.event
import activities.http
import activities.webhook  # noqa: F401  (importing registers their actions)
from activities.answers import answer, brief, too_large
from activities.attempts import after, finished, heartbeats, until_available
from activities.base import REGISTERED, ActionError, Invocation, RegisteredAction
from activities.confidential import Confidential
from activities.connection_use import ConnectionUse
from activities.counting import counted, facts_of
from activities.first_tasks import FirstTasks
from activities.http_client import HttpClient
from activities.resolving import Resolver
from app.catalog.base import ActionModel
from app.catalog.errors import ErrorType
from app.json import Json, JsonObject
from app.observing import context
from app.services import egress, local_changes, records
from app.services.errors import Unavailable
from app.services.local_changes import Afterwards, LocalChange
from app.services.platform import Platform
from app.services.workspace_values import without_marks
from app.temporal import names
from app.temporal.messages import ActionCall, ActionOutcome, RetryPlan

SLOW_SECONDS = 1.0
"""After this long an attempt under way is written down, so that people see what a run is doing."""
FOLLOWING_SECONDS = 2.0
"""How long a run waits for what follows a change of our own database, which upkeep would do as well."""
LONGEST_LOCAL_COMMIT = 60.0
"""Seconds in which a local activity keeps its outcome; then the run gets it as it is, and writes the row later."""
LONGEST_RETRY_AFTER = 24 * 3600.0
"""A provider that asks for a longer pause is tried again after this long."""
_CATEGORIES = {ErrorType.INTERNAL: ApplicationErrorCategory.UNSPECIFIED}

_log = logging.getLogger(__name__)
T = TypeVar("T")


class ActionRunner:
    """Makes the activities of a worker. One HTTP client serves all of them."""

    def __init__(self, platform: Platform, http: HttpClient, first_tasks: FirstTasks | None = None) -> None:
        """Without `first_tasks` every effect's outcome is looked for."""
        self._platform = platform
        self._observing = platform.observing
        self._http = http
        self._resolver = Resolver(platform, http)
        self._first_tasks = first_tasks or FirstTasks()
        self._database_answers = True
        self._use = ConnectionUse(platform)
        self._following: set[asyncio.Task[ActionOutcome]] = set()

    def activities(self) -> list[Callable[..., Any]]:
        """One activity per registered action, named by its catalog id."""
        return [self._bind(registered) for registered in REGISTERED.values()]

    def _bind(self, registered: RegisteredAction) -> Callable[[ActionCall], Awaitable[ActionOutcome]]:
        @activity.defn(name=registered.entry.id)
        async def attempt(call: ActionCall) -> ActionOutcome:
            facts = facts_of(call, activity.info().attempt)
            context.note(**facts)
            if self._observing.traces is not None:
                self._observing.traces.about(facts)
            with counted(self._observing.metrics, call, activity.info().attempt) as counting:
                async with heartbeats():
                    answered = await self._attempt(registered, call)
                counting.repeated = answered.repeated
                return answered

        return attempt

    async def _attempt(self, registered: RegisteredAction, call: ActionCall) -> ActionOutcome:
        is_change = registered.entry.where == "local" and not call.kept
        stored = None if is_change or self._is_new(call) else await self._stored(call)
        if stored is not None:
            return answer(replace(stored, repeated=True), local=activity.info().is_local)
        if call.kept:
            raise ApplicationError(
                f"{call.name}: its outcome is gone", type=ErrorType.INTERNAL.value, non_retryable=True
            )
        number = call.previous_attempts + activity.info().attempt
        started_at = datetime.now(UTC)
        try:
            async with after(SLOW_SECONDS, lambda: self._show(registered, call, number)):
                if is_change:
                    return await self._changed(registered, call, number, started_at)
                outcome = await self._outcome(registered, call, number, started_at)
        except ActionError as error:
            # What caused it stays here: the text of a library's error may repeat a secret, and Temporal keeps causes.
            raise await self._failed(registered, call, error, number, started_at) from None
        local = activity.info().is_local
        answered = answer(outcome, local=local)
        kept = await finished(
            until_available(lambda: self._commit(call, outcome)),
            patience=LONGEST_LOCAL_COMMIT if local and not answered.kept else None,
        )
        if not kept:
            return replace(answered, unkept=True)
        if call.connection is not None and registered.entry.connection is not None:
            await self._use.note(UUID(call.workspace_id), call.connection, None)
        return answered

    async def _outcome(
        self,
        registered: RegisteredAction,
        call: ActionCall,
        number: int,
        started_at: datetime,
        local: LocalChange | None = None,
    ) -> ActionOutcome:
        """Make the effect; what it gave. Raises ActionError."""
        output = await self._perform(registered, call, number, started_at, local)
        outcome = ActionOutcome(
            output=output,
            inputs=_shown(registered, call),
            attempt=number,
            started_at=_text(started_at),
            finished_at=_text(datetime.now(UTC)),
        )
        if (reason := too_large(outcome, call.largest_output)) is not None:
            raise ActionError(ErrorType.RESPONSE_TOO_LARGE, f"{call.name}: {reason}")
        return outcome

    async def _changed(
        self, registered: RegisteredAction, call: ActionCall, number: int, started_at: datetime
    ) -> ActionOutcome:
        """An effect on our own database, with its outcome in the same transaction; then what is to follow it."""

        async def change(local: LocalChange) -> ActionOutcome:
            return await self._outcome(registered, call, number, started_at, local)

        outcome, afterwards = await self._asked(call, lambda: local_changes.make(self._platform, call, change))
        if afterwards is None:
            outcome = replace(outcome, repeated=True)
        elif afterwards:
            outcome = await self._followed(call, outcome, afterwards)
        return answer(outcome, local=activity.info().is_local)

    async def _followed(
        self, call: ActionCall, outcome: ActionOutcome, afterwards: Sequence[Afterwards]
    ) -> ActionOutcome:
        """Do what follows a change. What takes long goes on beside the run, and the outcome says nothing of it."""

        async def follow() -> ActionOutcome:
            output = dict(outcome.output)
            for each in afterwards:
                output |= await each(self._platform)
            await records.tell_more(self._platform, call, output)
            return replace(outcome, output=output)

        task = asyncio.create_task(follow())
        self._following.add(task)
        task.add_done_callback(self._following.discard)
        await asyncio.wait([task], timeout=FOLLOWING_SECONDS)
        if not task.done():
            return outcome
        if (error := task.exception()) is not None:
            _log.warning("what follows %s of run %s is done later: %s", call.path, call.run_id, error)
            return outcome
        return task.result()

    async def _show(self, registered: RegisteredAction, call: ActionCall, number: int) -> None:
        """Give an attempt that takes its time a row while it is under way: a run that makes it as a local activity
        answers no query until it has ended."""
        with suppress(Unavailable):
            inputs = _shown(registered, call)
            await records.record_running(self._platform, call, attempt=number, inputs=inputs)

    def _is_new(self, call: ActionCall) -> bool:
        """Whether the effect cannot have been made before, so that there is no outcome to look for. While the database
        is away no effect is new: it must not be made before its outcome can be kept."""
        info = activity.info()
        first_try = info.is_local and info.attempt == 1 and not call.previous_attempts and not call.kept
        own = call.key == f"{call.run_id}/{call.path}" and call.generation == 1
        return first_try and own and self._database_answers and (info.workflow_run_id or "") in self._first_tasks

    async def _available(self, query: Awaitable[T]) -> T:
        """Await a query, and note whether the database answered."""
        try:
            answered = await query
        except Unavailable:
            self._database_answers = False
            raise
        self._database_answers = True
        return answered

    async def _commit(self, call: ActionCall, outcome: ActionOutcome) -> None:
        """Keep the outcome. A run that was ended meanwhile finds out at its next effect."""
        try:
            over = await self._available(records.commit_outcome(self._platform, call, outcome))
        except Unavailable:
            self._observing.metrics.commit_retries.inc()
            raise
        if over:
            self._first_tasks.end(activity.info().workflow_run_id or "")

    async def _stored(self, call: ActionCall) -> ActionOutcome | None:
        """The outcome that is kept under the call's key."""
        return await self._asked(call, lambda: records.stored_outcome(self._platform, call))

    async def _asked(self, call: ActionCall, ask: Callable[[], Awaitable[T]]) -> T:
        """What the database answers before anything is done. A local activity does not wait for a database that is
        away: it would add to the run's history all the time, which a regular one does not."""
        try:
            if not activity.info().is_local:
                return await until_available(lambda: self._available(ask()))
            return await self._available(ask())
        except records.RunEnded:
            ended = f"{call.name}: not done, the run has ended"
            raise ApplicationError(ended, type=ErrorType.TERMINATED.value, non_retryable=True) from None
        except Unavailable as error:
            away = f"{call.name}: not tried, {error.detail}"
            raise ApplicationError(away, type=names.NOT_TRIED, non_retryable=True) from error

    async def _perform(
        self,
        registered: RegisteredAction,
        call: ActionCall,
        number: int,
        started_at: datetime,
        local: LocalChange | None,
    ) -> Json:
        # What is kept and shown, of the call and of its answer, has marks where the provider gets links and secrets.
        confidential = Confidential(self._platform, call)
        async with confidential.cleaned():
            inputs = _validated(registered, replace(call, inputs=await confidential.revealed(call)))
        connection, renew = await self._resolver.connection(registered, call)
        confidential.learn(connection)
        invocation = Invocation(
            inputs=inputs,
            connection=connection,
            renew=confidential.learning(renew),
            hide=confidential.hidden_text,
            key=call.key,
            http=self._http if local is not None else await self._client(UUID(call.workspace_id)),
            settings=self._platform.settings,
            step=call.name,
            attempt=number,
            started_at=started_at,
            local=local,
        )
        try:
            async with confidential.cleaned():
                return await confidential.hidden(await self._called(registered, invocation, call, confidential))
        except ActionError as error:
            if connection is not None:
                await self._use.note(UUID(call.workspace_id), connection.name, error)
            raise

    async def _client(self, workspace_id: UUID) -> HttpClient:
        """The HTTP client as the workspace may use it."""
        hosts = await until_available(lambda: egress.hosts_of(self._platform, workspace_id))
        return self._http.within(workspace_id, hosts)

    @staticmethod
    async def _called(
        registered: RegisteredAction, invocation: Invocation[Any], call: ActionCall, confidential: Confidential
    ) -> Json:
        try:
            async with asyncio.timeout(call.timeout):
                output = await registered.function(invocation)
            return output.model_dump(mode="json", by_alias=True)
        except TimeoutError:
            raise ActionError(ErrorType.TIMEOUT, f"{call.name}: no answer within {call.timeout:g} seconds") from None
        except (ActionError, Unavailable):
            raise
        except Exception as error:
            if invocation.local is not None and local_changes.is_interrupted(error):
                raise
            trace = await confidential.hidden("".join(format_exception(error)))
            _log.error("action %s failed unexpectedly in run %s at %s\n%s", call.action, call.run_id, call.path, trace)
            raise ActionError(
                ErrorType.INTERNAL, f"{call.name}: {call.action} failed: {type(error).__name__}"
            ) from error

    async def _failed(
        self, registered: RegisteredAction, call: ActionCall, error: ActionError, number: int, started_at: datetime
    ) -> ApplicationError:
        """The failure for Temporal, after the attempt's own row is written, so that retries are seen as they happen."""
        finished_at = datetime.now(UTC)
        again = retryable(call.retry, error.type)
        last = not again or number >= call.retry.max_attempts
        delay = None if last else retry_delay(call.retry, number, error.retry_after)
        step_error: JsonObject = {
            "type": error.type.value,
            "message": error.message,
            "retryable": again,
            "provider_code": error.provider_code,
        }
        # A row about a failure is worth a try, not worth holding up the retry while the database is away.
        with suppress(Unavailable):
            await records.record_failed_attempt(
                self._platform,
                call,
                attempt=number,
                error=step_error,
                started_at=started_at,
                finished_at=finished_at,
                next_attempt_at=None if delay is None else finished_at + timedelta(seconds=delay),
            )
        # Named only where it is so: what is told of other failures stays as it was.
        pauses = delay is not None and call.longest_pause is not None and delay > call.longest_pause
        details = {
            **({names.PAUSES: True} if pauses else {}),
            "attempt": number,
            "inputs": brief(_shown(registered, call)),
            "provider_code": error.provider_code,
            "retry_delay": delay,
        }
        return ApplicationError(
            error.message,
            details,
            type=error.type.value,
            non_retryable=not again or pauses,
            next_retry_delay=None if delay is None else timedelta(seconds=delay),
            # What a provider answers belongs in the attempt's row, not as a stack trace in the worker's log.
            category=_CATEGORIES.get(error.type, ApplicationErrorCategory.BENIGN),
        )


def retryable(plan: RetryPlan, type: ErrorType) -> bool:
    """Whether a failure of this type is worth another attempt: the step's own list counts, else the types' table."""
    return type.retryable if plan.retry_on is None else type.value in plan.retry_on


def retry_delay(plan: RetryPlan, attempt: int, retry_after: float | None) -> float:
    """Seconds until the attempt after `attempt`: what the provider asked for, else backoff less a random part."""
    if retry_after is not None:
        # Temporal takes no pause at all for one that was not given.
        return min(max(retry_after, 0.001), LONGEST_RETRY_AFTER)
    pause = min(plan.initial_interval * plan.backoff ** min(attempt - 1, 64), plan.max_interval)
    return pause * (1 - plan.jitter * random.random())  # noqa: S311  (spreading load, not guarding a secret)


def _shown(registered: RegisteredAction, call: ActionCall) -> JsonObject:
    """The inputs as people may see them."""
    shown: JsonObject = without_marks(registered.mask(call.inputs))
    return shown


def _validated(registered: RegisteredAction, call: ActionCall) -> ActionModel:
    try:
        return registered.entry.inputs.model_validate(call.inputs)
    except ValidationError as error:
        told = "; ".join(
            f"inputs.{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()
        )
        raise ActionError(ErrorType.INVALID_INPUT, f"{call.name}: {told}") from error


def _text(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
