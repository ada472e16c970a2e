"""Judges the facts: which promises were kept, and the figures. Pure, so that each promise can be shown to fail."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from temporalio.client import WorkflowExecutionStatus

from app.json import JsonObject
from app.temporal import names
from tests.chaos.agent import Struck
from tests.chaos.facts import Facts, RunFact
from tests.chaos.ledger import Arrival
from tests.chaos.orders import PLACED
from tests.chaos.plan import Ending, Target

_SHOWN = 5
_EXECUTION = {
    "completed": WorkflowExecutionStatus.COMPLETED,
    "failed": WorkflowExecutionStatus.FAILED,
    "timed_out": WorkflowExecutionStatus.FAILED,
    "cancelled": WorkflowExecutionStatus.CANCELED,
}
"""What Temporal says of a run whose row says so."""


_CAUSES = (Target.EVERYTHING, Target.WORKER, Target.FREEZE, Target.POSTGRES, Target.TEMPORAL)
_WORK_SECONDS = 1.0
"""A request may have left its worker this long before the ledger wrote it down."""


@dataclass(frozen=True)
class Promise:
    """What must be true, and each case in which it is not."""

    text: str
    broken: Sequence[str]

    @property
    def kept(self) -> bool:
        return not self.broken

    @property
    def told(self) -> str:
        """The first cases, for people."""
        more = len(self.broken) - _SHOWN
        return "\n".join([*self.broken[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


@dataclass(frozen=True)
class Repeats:
    """Requests for an effect under a key the ledger knew, by their cause: a provider that knows keys ignores them."""

    answer_lost: int
    """The ledger had cut off its own answer: whoever asks must ask again."""
    under_way: Mapping[str, int]
    """By kind of strike, which came while the ledger was being asked: nobody was left to hear its answer."""
    in_window: Mapping[str, int]
    """By kind of strike, which came between the ledger's answer and the commit of the outcome."""
    unexplained: Sequence[str]
    """Nothing that could be the cause."""


def promises(facts: Facts) -> list[Promise]:
    """All of them, each with what breaks it."""
    checks: dict[str, Callable[[Facts], Iterable[str]]] = {
        "every strike was carried out": _strikes,
        "what a run had done was undone in reverse, if it failed or was cancelled": _undone,
        "every order has one run, the one its customer was told of": _one_run,
        "every run ended as it should": _ended,
        "rows and Temporal agree": _agree,
        "every effect was done, under one key of its own": _effects,
        "every effect has its outcome kept under that key": _outcomes,
        "no effect was asked for again without a cause": lambda it: repeats(it).unexplained,
        "every event was kept, and dispatched": _events,
        "every event started one run": _started,
        "every payment was taken once, by the wait it was for": _payments,
        "no run waits for anything any more": _waits,
    }
    return [Promise(text, list(check(facts))) for text, check in checks.items()]


def repeats(facts: Facts) -> Repeats:
    """How often the ledger was asked again, and why."""
    answer_lost = 0
    under_way: Counter[str] = Counter()
    in_window: Counter[str] = Counter()
    unexplained: list[str] = []
    by_key: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in facts.arrivals:
        by_key[arrival.key].append(arrival)
    for key, arrivals in by_key.items():
        for first, again in pairwise(arrivals):
            cause = _cause(facts, first, again)
            if first.answer_lost:
                answer_lost += 1
            elif cause is None:
                unexplained.append(f"{key} was asked for again after {again.at - first.at:.1f} s")
            elif first.answered is None or cause.at < first.answered:
                under_way[str(cause.strike.target)] += 1
            else:
                in_window[str(cause.strike.target)] += 1
    return Repeats(answer_lost, under_way, in_window, unexplained)


def _cause(facts: Facts, first: Arrival, again: Arrival) -> Struck | None:
    """The strike that kept an outcome from being committed before the effect was begun anew: a worker's end first."""
    between = [one for one in facts.struck if one.at <= again.at and one.healthy >= first.at - _WORK_SECONDS]
    causes = [one for one in between if one.strike.target in _CAUSES]
    return min(causes, key=lambda one: (_CAUSES.index(one.strike.target), one.at), default=None)


def recovery(facts: Facts) -> dict[str, list[tuple[float, float | None]]]:
    """By kind of strike: seconds until all was healthy again, and until the next effect was done, both from when it was
    let up. The latter is None where the next strike came first."""
    first: dict[str, float] = {}
    for arrival in facts.arrivals:
        first.setdefault(arrival.key, arrival.at)
    moments = sorted(first.values())
    ends = [one.at for one in facts.struck[1:]] + [math.inf]
    found: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for one, end in zip(facts.struck, ends, strict=False):
        effect = next((moment - one.let_up for moment in moments if one.let_up < moment < end), None)
        found[str(one.strike.target)].append((one.healthy - one.let_up, effect))
    return dict(found)


def figures(facts: Facts) -> JsonObject:
    """What is reported, as JSON."""
    asked_again = repeats(facts)
    return {
        "orders": len(facts.orders),
        "runs": len(facts.runs),
        "runs_by_status": dict(Counter(run.status for run in facts.runs)),
        "effects_expected": sum(len(order.effects) for order in facts.orders),
        "effects_done": len({arrival.key for arrival in facts.arrivals}),
        "outcomes_kept": len(facts.outcomes),
        "repeats_in_the_window_before_a_commit": sum(asked_again.in_window.values()),
        "repeats_in_the_window_by_strike": dict(asked_again.in_window),
        "repeats_under_way_at_a_strike": sum(asked_again.under_way.values()),
        "repeats_under_way_by_strike": dict(asked_again.under_way),
        "repeats_after_a_lost_answer": asked_again.answer_lost,
        "repeats_unexplained": len(asked_again.unexplained),
        "events_sent": len(facts.sent),
        "events_dispatched": sum(event.dispatched for event in facts.events),
        "executions": sum(facts.executions.values()),
        "largest_history_events": max((run.history_events for run in facts.runs), default=0),
        "strikes": {name: _times(seen) for name, seen in recovery(facts).items()},
    }


def _times(seen: Sequence[tuple[float, float | None]]) -> JsonObject:
    effects = [effect for _, effect in seen if effect is not None]
    healthy = [seconds for seconds, _ in seen]
    return {
        "count": len(seen),
        "healthy_seconds_median": round(statistics.median(healthy), 2),
        "healthy_seconds_worst": round(max(healthy), 2),
        "next_effect_seconds_median": round(statistics.median(effects), 2) if effects else None,
        "next_effect_seconds_worst": round(max(effects), 2) if effects else None,
    }


def stuck(run: RunFact) -> str:
    """A run that is not where it should be, for people."""
    parts = [
        f"{run.order}: run {run.id} is {run.status}" + (f" at {run.current_step}" if run.current_step else ""),
        "unknown to Temporal" if run.execution is None else f"{run.execution.name} in Temporal",
        *([f"pending there: {', '.join(run.pending)}"] if run.pending else []),
        *([str(run.error)] if run.error else []),
    ]
    return "; ".join(parts)


def _strikes(facts: Facts) -> Iterable[str]:
    if len(facts.struck) != facts.strikes_planned:
        yield f"{len(facts.struck)} of {facts.strikes_planned}"


def _one_run(facts: Facts) -> Iterable[str]:
    by_order = _by_order(facts)
    for order in facts.orders:
        runs = {run.id for run in by_order.get(order.name, [])}
        told = facts.answered.get(order.name, set())
        if len(runs) != 1:
            yield f"{order.name} has {len(runs)} runs"
        elif not told <= runs:
            yield f"{order.name} has run {runs}, its customer was told {told}"


def _ended(facts: Facts) -> Iterable[str]:
    endings = {order.name: order.ending.value for order in facts.orders}
    return (stuck(run) for run in facts.runs if run.status != endings.get(run.order))


def _agree(facts: Facts) -> Iterable[str]:
    yield from (stuck(run) for run in facts.runs if run.execution is not _EXECUTION.get(run.status))
    known = {names.workflow_id(run.id) for run in facts.runs}
    yield from (f"{id} is in Temporal and has no row" for id in sorted(facts.executions.keys() - known))


def _effects(facts: Facts) -> Iterable[str]:
    keys: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for arrival in facts.arrivals:
        keys[arrival.order, arrival.effect].add(arrival.key)
    wanted = [(order.name, effect) for order in facts.orders for effect in order.effects]
    for order, effect in wanted:
        found = keys.get((order, effect), set())
        if len(found) != 1:
            yield f"{order} {effect}: {len(found)} keys {sorted(found)}"
    yield from (f"{order} {effect} was not asked for" for order, effect in sorted(keys.keys() - set(wanted)))
    used = Counter(key for found in keys.values() for key in found)
    yield from (f"{key!r} stands for {count} effects" for key, count in used.items() if count > 1 or not key)


def _undone(facts: Facts) -> Iterable[str]:
    done: dict[str, list[str]] = defaultdict(list)
    for arrival in facts.arrivals:
        if arrival.effect not in done[arrival.order]:
            done[arrival.order].append(arrival.effect)
    for order in facts.orders:
        if order.ending is not Ending.COMPLETED and done[order.name] != list(order.effects):
            yield f"{order.name}: {done[order.name]} instead of {list(order.effects)}"


def _outcomes(facts: Facts) -> Iterable[str]:
    done, kept = {arrival.key for arrival in facts.arrivals}, set(facts.outcomes)
    yield from (f"{key} was done and is not kept" for key in sorted(done - kept))
    yield from (f"{key} is kept and was not done" for key in sorted(kept - done))


def _events(facts: Facts) -> Iterable[str]:
    rows = {event.id: event for event in facts.events}
    for sent in facts.sent:
        row = rows.get(sent.id)
        if row is None:
            yield f"{sent.id} is not there"
        elif not row.dispatched:
            yield f"{sent.id} is not dispatched"


def _started(facts: Facts) -> Iterable[str]:
    rows = {event.id: event for event in facts.events}
    by_order = _by_order(facts)
    for sent in facts.sent:
        found = rows[sent.id].started if sent.id in rows else []
        wanted = [run.id for run in by_order.get(sent.order, [])] if sent.type == PLACED else []
        if found != wanted:
            yield f"{sent.id} started {found}, not {wanted}"


def _payments(facts: Facts) -> Iterable[str]:
    wanted = {order.name: {step: f"{order.name}/{step}" for step in order.payments} for order in facts.orders}
    for run in facts.runs:
        if run.payments != wanted.get(run.order):
            yield f"{run.order}: {run.payments} instead of {wanted.get(run.order)}"


def _waits(facts: Facts) -> Iterable[str]:
    return (f"run {run_id} has an open wait" for run_id in facts.open_waits)


def _by_order(facts: Facts) -> dict[str, list[RunFact]]:
    found: dict[str, list[RunFact]] = defaultdict(list)
    for run in facts.runs:
        found[run.order].append(run)
    return found
