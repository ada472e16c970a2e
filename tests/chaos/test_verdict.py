"""Each promise of the chaos suite is shown to fail when what it says is not so, and every repeat finds its cause."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from temporalio.client import WorkflowExecutionStatus as Execution

from tests.chaos.agent import Struck
from tests.chaos.facts import EventFact, Facts, RunFact
from tests.chaos.ledger import Arrival
from tests.chaos.orders import PAID, PLACED, Sent
from tests.chaos.plan import SHORT, Cut, Ending, Order, Plan, Strike, Target
from tests.chaos.verdict import figures, promises, recovery, repeats

EXECUTIONS = {
    Ending.COMPLETED: Execution.COMPLETED,
    Ending.FAILED: Execution.FAILED,
    Ending.CANCELLED: Execution.CANCELED,
}


def order(name: str, ending: Ending, *, by_event: bool = False) -> Order:
    return Order(
        name=name,
        by_event=by_event,
        asked_twice=False,
        ending=ending,
        placed_after=0,
        deposit_after=0,
        balance_after=0,
    )


ORDERS = [
    order("one", Ending.COMPLETED),
    order("two", Ending.COMPLETED, by_event=True),
    order("three", Ending.FAILED),
    order("four", Ending.CANCELLED),
]


def struck(target: Target, at: float, *, seconds: float = 1.0, cut: Cut | None = None) -> Struck:
    strike = Strike(more_effects=1, delay=0, target=target, seconds=seconds, cut=cut)
    return Struck(strike, at, let_up=at + seconds, healthy=at + seconds + 1)


def run_of(order: Order) -> RunFact:
    return RunFact(
        id=f"run-{order.name}",
        order=order.name,
        status=order.ending.value,
        payments={step: f"{order.name}/{step}" for step in order.payments},
        error=None,
        current_step=None,
        execution=EXECUTIONS[order.ending],
        history_events=10,
    )


def arrivals_of(order: Order) -> list[Arrival]:
    return [
        Arrival(
            f"run-{order.name}/{effect}", order.name, effect, at=float(place), answer_lost=False, answered=place + 0.1
        )
        for place, effect in enumerate(order.effects)
    ]


def sent_for(order: Order) -> list[Sent]:
    payments = [Sent(f"{order.name}/{step}", PAID, order.name) for step in order.payments]
    return [*([Sent(f"{order.name}/placed", PLACED, order.name)] if order.by_event else []), *payments]


def event_of(sent: Sent) -> EventFact:
    return EventFact(id=sent.id, dispatched=True, started=[f"run-{sent.order}"] if sent.type == PLACED else [])


@pytest.fixture
def facts() -> Facts:
    """After a chaos in which everything went well."""
    arrivals = [arrival for each in ORDERS for arrival in arrivals_of(each)]
    sent = [event for each in ORDERS for event in sent_for(each)]
    return Facts(
        orders=ORDERS,
        answered={each.name: {f"run-{each.name}"} for each in ORDERS},
        sent=sent,
        arrivals=arrivals,
        struck=[struck(Target.API, at=1.5)],
        strikes_planned=1,
        runs=[run_of(each) for each in ORDERS],
        events=[event_of(each) for each in sent],
        outcomes=[arrival.key for arrival in arrivals],
        open_waits=[],
        executions={f"run-run-{each.name}": 1 for each in ORDERS},
    )


def broken(facts: Facts) -> dict[str, str]:
    return {promise.text: promise.told for promise in promises(facts) if not promise.kept}


def test_all_promises_are_kept_when_all_went_well(facts: Facts) -> None:
    assert broken(facts) == {}
    found = figures(facts)
    assert (found["effects_expected"], found["effects_done"], found["outcomes_kept"]) == (20, 20, 20)
    assert found["runs_by_status"] == {"completed": 2, "failed": 1, "cancelled": 1}


def first_run(facts: Facts, **changes: object) -> Sequence[RunFact]:
    return [replace(facts.runs[0], **changes), *facts.runs[1:]]  # type: ignore[arg-type]


def swapped(facts: Facts) -> Sequence[Arrival]:
    """The failed order is told of its release before it is refunded."""
    places = [place for place, one in enumerate(facts.arrivals) if one.order == "three"]
    arrivals = list(facts.arrivals)
    arrivals[places[2]], arrivals[places[3]] = arrivals[places[3]], arrivals[places[2]]
    return arrivals


CASES: dict[str, tuple[str, Callable[[Facts], Facts]]] = {
    "a strike that was left out": (
        "every strike was carried out",
        lambda it: replace(it, strikes_planned=2),
    ),
    "an order with two runs": (
        "every order has one run, the one its customer was told of",
        lambda it: replace(it, runs=[*it.runs, replace(it.runs[0], id="run-other")]),
    ),
    "a customer who was told of another run": (
        "every order has one run, the one its customer was told of",
        lambda it: replace(it, answered={**it.answered, "one": {"run-one", "run-other"}}),
    ),
    "a run that still waits": (
        "every run ended as it should",
        lambda it: replace(it, runs=first_run(it, status="waiting", execution=Execution.RUNNING)),
    ),
    "a row that says less than Temporal": (
        "rows and Temporal agree",
        lambda it: replace(it, runs=first_run(it, execution=Execution.RUNNING)),
    ),
    "a row Temporal never heard of": (
        "rows and Temporal agree",
        lambda it: replace(it, runs=first_run(it, execution=None)),
    ),
    "an execution without a row": (
        "rows and Temporal agree",
        lambda it: replace(it, executions={**it.executions, "run-of-nobody": 1}),
    ),
    "an effect that was never done": (
        "every effect was done, under one key of its own",
        lambda it: replace(it, arrivals=it.arrivals[1:]),
    ),
    "an effect that was done under a second key": (
        "every effect was done, under one key of its own",
        lambda it: replace(it, arrivals=[*it.arrivals, replace(it.arrivals[0], key="other", at=9.0)]),
    ),
    "a key for two effects": (
        "every effect was done, under one key of its own",
        lambda it: replace(it, arrivals=[replace(it.arrivals[0], key=it.arrivals[1].key), *it.arrivals[1:]]),
    ),
    "an effect nobody asked for": (
        "every effect was done, under one key of its own",
        lambda it: replace(it, arrivals=[*it.arrivals, replace(it.arrivals[0], key="other", effect="refund")]),
    ),
    "an outcome that is gone": (
        "every effect has its outcome kept under that key",
        lambda it: replace(it, outcomes=it.outcomes[1:]),
    ),
    "an outcome of nothing": (
        "every effect has its outcome kept under that key",
        lambda it: replace(it, outcomes=[*it.outcomes, "of-nothing"]),
    ),
    "a repeat that nothing explains": (
        "no effect was asked for again without a cause",
        lambda it: replace(it, arrivals=[*it.arrivals, replace(it.arrivals[0], at=1.0)]),
    ),
    "what was undone in the wrong order": (
        "what a run had done was undone in reverse, if it failed or was cancelled",
        lambda it: replace(it, arrivals=swapped(it)),
    ),
    "an event that is gone": (
        "every event was kept, and dispatched",
        lambda it: replace(it, events=it.events[1:]),
    ),
    "an event that is not dispatched": (
        "every event was kept, and dispatched",
        lambda it: replace(it, events=[replace(it.events[0], dispatched=False), *it.events[1:]]),
    ),
    "a payment that started a run": (
        "every event started one run",
        lambda it: replace(it, events=[replace(it.events[0], started=["run-other"]), *it.events[1:]]),
    ),
    "a payment that was counted twice": (
        "every payment was taken once, by the wait it was for",
        lambda it: replace(it, runs=first_run(it, payments={"deposit": "one/deposit", "balance": "one/deposit"})),
    ),
    "a payment that was lost": (
        "every payment was taken once, by the wait it was for",
        lambda it: replace(it, runs=first_run(it, payments={"deposit": "one/deposit"})),
    ),
    "a wait that nobody closed": (
        "no run waits for anything any more",
        lambda it: replace(it, open_waits=["run-one"]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_breaks_a_promise_is_found(case: str, facts: Facts) -> None:
    promise, spoil = CASES[case]
    assert promise in broken(spoil(facts))


@pytest.mark.parametrize(
    ("strike", "lost", "counted"),
    [
        (None, True, "answer_lost"),
        (struck(Target.WORKER, at=0.05), False, "under_way"),
        (struck(Target.WORKER, at=0.2), False, "in_window"),
        (struck(Target.POSTGRES, at=0.2), False, "in_window"),
        (struck(Target.API, at=0.2), False, "unexplained"),
        (struck(Target.WORKER, at=8.0), False, "unexplained"),
    ],
)
def test_a_repeat_is_counted_by_its_cause(facts: Facts, strike: Struck | None, lost: bool, counted: str) -> None:
    first = replace(facts.arrivals[0], answer_lost=lost)
    arrivals = [first, *facts.arrivals[1:], replace(first, at=5.0, answer_lost=False)]
    found = repeats(replace(facts, arrivals=arrivals, struck=[strike] if strike else []))
    counts = {
        "answer_lost": found.answer_lost,
        "under_way": sum(found.under_way.values()),
        "in_window": sum(found.in_window.values()),
        "unexplained": len(found.unexplained),
    }
    assert counts == {**dict.fromkeys(counts, 0), counted: 1}


def test_recovery_counts_from_the_moment_a_strike_is_let_up(facts: Facts) -> None:
    strikes = [
        struck(Target.TEMPORAL, at=0.5),
        struck(Target.TEMPORAL, at=1.6, seconds=0.1),
        struck(Target.API, at=1.8),
    ]
    found = recovery(replace(facts, struck=strikes))
    assert found["kill Temporal"] == [(1.0, None), (1.0, None)], "the next strike came before the next effect"
    [(healthy, effect)] = found["kill the API"]
    assert healthy == 1.0
    assert effect == pytest.approx(0.2)


@pytest.mark.parametrize("plan", [Plan(), SHORT], ids=["whole", "short"])
def test_a_plan_is_the_same_each_time_and_strikes_at_everything(plan: Plan) -> None:
    assert plan.orders() == plan.orders()
    strikes = plan.strikes()
    assert strikes == plan.strikes()
    assert len(strikes) == plan.rounds * len(plan.aims)
    assert {(strike.target, strike.cut) for strike in strikes} == set(plan.aims)
    assert replace(plan, seed=plan.seed + 1).strikes() != strikes


def test_an_order_is_paid_after_it_is_placed_and_before_the_last_strike() -> None:
    plan = Plan()
    last = len(plan.strikes()) - 1
    for each in plan.orders():
        assert 0 <= each.placed_after <= each.deposit_after <= each.balance_after <= last
    assert {each.ending for each in plan.orders()} == set(Ending)
