"""Whether a run may begin: decided in the transaction that inserts its row, under a lock of its workflow.

A run is let in at once, put into a queue, or refused. There are two gates, one behind the other: a place of its
concurrency key, then the hour. Who waits for the hour has its place already, so that order within a key is never lost.
How those who wait are let in is `queues`' subject.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.catalog.errors import ErrorType
from app.db.models import Run
from app.definition.durations import format_moment
from app.definition.errors import ExpressionError
from app.definition.expressions import evaluate
from app.definition.ordering import order_key, trigger_for
from app.definition.problems import Problem
from app.definition.run_limits import Concurrency, RunLimits, key_text
from app.definition.triggers import EventTrigger
from app.json import JsonObject
from app.services import plans
from app.services.errors import Forbidden, Invalid, ServiceError, TooMany
from app.services.published import published
from app.store import limits as store
from app.store import runs
from app.store.limits import HOUR, Counts

RETRY_SECONDS = 5
"""When a refused start is worth another try, where nobody knows when a place comes free."""


async def add(
    session: AsyncSession,
    run: Run,
    limits: RunLimits | None,
    *,
    workspace_name: str,
    anew: bool = False,
    noting: bool = False,
) -> Run | None:
    """Insert the run as its workflow's limits have it; its `queue` says whether it must wait before it begins.

    Answers with it, or with the first run of its `run_once_per`; None when another has its idempotency key. `anew`: a
    retry or redrive stands for the run it repeats, not for a further one. `noting`: a refusal is kept as a run that
    never began, for nobody hears an error. Else raises `TooMany` (`rate_limit_reached`, `concurrency_limit_reached`),
    `Invalid` (`invalid_limit_key`) and `Forbidden` (`plan_limit_reached`).
    """
    try:
        first = await _admit(session, run, limits, workspace_name, anew) if limits is not None else None
        if first is None:
            await plans.allow_run(session, run.workspace_id)
    except (TooMany, Invalid, Forbidden) as refusal:
        # Another start with the same key may have been let in while this one waited for the lock.
        if run.idempotency_key is not None and await _has_key(session, run):
            return None
        if run.once_key is not None and (first := await store.with_once_key(session, run)) is not None:
            return first
        if not noting:
            raise
        await _note(session, run, refusal)
    else:
        if first is not None:
            return first
    if await runs.add(session, run):
        if limits is not None and run.queue == "concurrency":
            await _replace(session, run, limits)
        return run
    return await store.with_once_key(session, run) if run.once_key is not None else None


async def limits_of(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> RunLimits | None:
    """The limits of the workflow, which are those of its active version whatever the runs' own are."""
    limits, _ = await limits_while_active(session, workspace_id, workflow_id)
    return limits


async def limits_while_active(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID
) -> tuple[RunLimits | None, bool]:
    """As `limits_of`, and whether runs of the workflow may begin: not while it is paused or archived. Those of one that
    is gone may, to find that out."""
    found = await runs.startable(session, workspace_id, workflow_id, None)
    if found is None:
        return None, True
    workflow, version, _ = found
    return published(version).limits if version is not None else None, workflow.status == "active"


async def _admit(session: AsyncSession, run: Run, limits: RunLimits, workspace_name: str, anew: bool) -> Run | None:
    """Write into the run what the limits decide; answers with the run that stands in its place, if any."""
    names = _names(run, workspace_name)
    if limits.once_per is not None and not anew:
        run.once_key = _key(limits.once_per, names, "settings.run_once_per")
        if run.once_key is not None and (first := await store.with_once_key(session, run)) is not None:
            return first
    concurrency = limits.concurrency
    if concurrency is not None:
        run.concurrency_key = _key("*" if concurrency.key is None else concurrency.key, names, _CONCURRENCY_KEY)
    elif limits.ordered:
        concurrency, run.concurrency_key = ONE_BY_ONE, _order(limits.ordered, run)
    if run.concurrency_key is None:
        concurrency = None
    if concurrency is None and limits.per_hour is None:
        return None
    await store.lock(session, run.workspace_id, run.workflow_id)
    places = concurrency.limit if concurrency is not None else 0
    counts = await store.counts(session, run, places=places, per_hour=limits.per_hour)
    if concurrency is not None:
        _take_place(run, concurrency, counts)
    if limits.per_hour is not None:
        _take_number(run, limits.per_hour, limits.rejects, counts)
    return None


_CONCURRENCY_KEY = "settings.concurrency.key"
ONE_BY_ONE = Concurrency(limit=1)
"""How runs begin that have an order."""


def _take_place(run: Run, concurrency: Concurrency, counts: Counts) -> None:
    full = counts.taken >= concurrency.limit
    if full and concurrency.excess == "reject":
        under_way = "a run is" if concurrency.limit == 1 else f"{concurrency.limit} runs are"
        raise TooMany(
            "concurrency_limit_reached",
            f'{under_way} under way for this key of the workflow "{run.workflow_name}", as many as may be '
            "(settings.concurrency): wait for an end, or cancel one.",
            retry_after=RETRY_SECONDS,
        )
    if full or counts.queued:
        _wait(run, "concurrency", None)


def _take_number(run: Run, per_hour: int, rejects: bool, counts: Counts) -> None:
    """Let the run in, unless it waits already; what waits for a place is counted when it has one."""
    opens = counts.opens if counts.hour_is_full else None
    if opens is not None and rejects:
        raise TooMany(
            "rate_limit_reached",
            f'{per_hour:,} runs of the workflow "{run.workflow_name}" begin within this hour, as many as may '
            f"(settings.max_runs_per_hour). The next one may begin at {format_moment(opens)}.",
            retry_after=math.ceil(min(opens - counts.now, HOUR).total_seconds()),
        )
    if run.queue is not None:
        return
    if opens is not None or counts.delayed:
        _wait(run, "rate", opens)
    else:
        run.rate_number = counts.last_number + 1


def _wait(run: Run, queue: str, until: datetime | None) -> None:
    run.queue, run.waiting_for = queue, waiting_for(queue, until)


def waiting_for(queue: str, until: datetime | None) -> JsonObject:
    """What a run in this queue says it waits for; `until`: it does not begin before."""
    return {"kind": queue, "event": None, "until": None if until is None else format_moment(until)}


async def _replace(session: AsyncSession, run: Run, limits: RunLimits) -> None:
    concurrency = limits.concurrency
    if concurrency is not None and concurrency.excess == "replace":
        await store.replace(session, run, places=concurrency.limit, error=replaced_error(run.id))


def replaced_error(by: UUID | None) -> JsonObject:
    """What a run says that was replaced and never began."""
    return {"type": ErrorType.CANCELLED.value, "message": f"run {by} took its place before it began"}


async def _note(session: AsyncSession, run: Run, refusal: ServiceError) -> None:
    """Let the run be one that never began, for people to find. It keeps no key and no place."""
    too_many = isinstance(refusal, TooMany | Forbidden)
    run.status = "cancelled" if too_many else "failed"
    type_ = ErrorType.LIMIT_REACHED if too_many else ErrorType.EXPRESSION
    run.error = {"type": type_.value, "message": refusal.detail, "step_id": None, "path": None}
    run.once_key = run.concurrency_key = run.queue = run.waiting_for = run.rate_number = None
    run.finished_at = await runs.clock(session)


async def _has_key(session: AsyncSession, run: Run) -> bool:
    """Whether there is a run with the same idempotency key."""
    assert run.idempotency_key is not None
    return await runs.with_key(session, run.workspace_id, run.workflow_id, run.idempotency_key) is not None


def _names(run: Run, workspace_name: str) -> JsonObject:
    """What a key may use: there is no run yet, so no variables, no steps and no start."""
    return {
        "trigger": run.input,
        "event": run.trigger_event,
        "run": {
            "workflow_id": str(run.workflow_id),
            "workflow_name": run.workflow_name,
            "version": run.version,
        },
        "workspace": {"id": str(run.workspace_id), "name": workspace_name},
        "now": format_moment(datetime.now(UTC)),
    }


def _order(triggers: Sequence[EventTrigger], run: Run) -> str | None:
    """The key of the order the run has its place in; None for one that no event started, or none that has an order."""
    if run.trigger_type != "event" or run.trigger_event is None:
        return None
    event = {**run.trigger_event, "data": run.input}
    trigger = trigger_for(triggers, event)
    try:
        return order_key(trigger.ordered_by, event) if trigger is not None else None
    except ExpressionError as error:
        raise _invalid("ordered_by", error) from error


def _key(template: str, names: JsonObject, field: str) -> str | None:
    try:
        return key_text(evaluate(template, names))
    except ExpressionError as error:
        raise _invalid(field, error) from error


def _invalid(field: str, error: ExpressionError) -> Invalid:
    hint = error.hint or "let the trigger have it, or give it a value: default(...)"
    return Invalid("invalid_limit_key", f"{field}: {error}", [Problem(field, error.message, hint)])
