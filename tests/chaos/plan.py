"""What a chaos run does, drawn from a seed before it begins: the orders that are placed and the strikes against them.

Pure: no clock, no I/O. Strikes follow on effects that were done, and what customers do follows on strikes, so that each
strike meets runs under way on a fast and on a slow machine alike.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a strike is aimed at."""

    WORKER = "kill a worker"
    FREEZE = "freeze a worker"
    TEMPORAL = "kill Temporal"
    POSTGRES = "kill PostgreSQL"
    API = "kill the API"
    EVERYTHING = "kill everything"
    PROVIDER = "cut the provider"


class Cut(StrEnum):
    """How the provider is away."""

    REFUSED = "connections are refused"
    ANSWER_LOST = "the effect is done, its answer is lost"
    UNAVAILABLE = "503"
    BUSY = "429 with Retry-After"


class Ending(StrEnum):
    """How an order is meant to end, as its run's row says it."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Strike:
    """Due `delay` seconds after so many more effects; `seconds` until what was struck is let up again."""

    more_effects: int
    delay: float
    target: Target
    seconds: float
    cut: Cut | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.target} ({self.cut})" if self.cut else str(self.target)


@dataclass(frozen=True)
class Order:
    """One run: how it is started and ends, which of its requests are made twice, and after how many strikes it is
    placed, paid for first, and paid in full or cancelled."""

    name: str
    by_event: bool
    asked_twice: bool
    ending: Ending
    placed_after: int
    deposit_after: int
    balance_after: int

    @property
    def effects(self) -> Sequence[str]:
        """What its run does to the ledger, in order but for what is done side by side."""
        return EFFECTS if self.ending is Ending.COMPLETED else EFFECTS_UNDONE

    @property
    def payments(self) -> Sequence[str]:
        """What its customer pays."""
        return ("deposit", "balance") if self.ending is Ending.COMPLETED else ("deposit",)


EFFECTS = ("reserve", "charge", "ship-1", "ship-2", "write")
EFFECTS_UNDONE = ("reserve", "charge", "refund", "release", "notify")
"""Of an order that fails or is cancelled: what was done is undone, the latest first, and then `finally` tells of it."""
EFFECTS_PER_ORDER = 5

Aim = tuple[Target, Cut | None]

EVERY_AIM: tuple[Aim, ...] = (
    (Target.WORKER, None),
    (Target.WORKER, None),
    (Target.FREEZE, None),
    (Target.TEMPORAL, None),
    (Target.POSTGRES, None),
    (Target.API, None),
    (Target.EVERYTHING, None),
    *((Target.PROVIDER, cut) for cut in Cut),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much, for how many seconds at most, and from which seed. A round strikes once at each of `aims`."""

    runs: int = 200
    workers: int = 2
    rounds: int = 4
    seconds: float = 900.0
    seed: int = 1
    aims: tuple[Aim, ...] = EVERY_AIM

    @property
    def effects(self) -> int:
        """How many there will be in the end."""
        return self.runs * EFFECTS_PER_ORDER

    def orders(self) -> list[Order]:
        """A quarter is started by events; of ten orders one fails and one is cancelled. Half are paid for before
        anybody waits for it, the others while the run waits. The last are paid before the last strike."""
        chance = random.Random(f"orders {self.seed}")
        last = self.rounds * len(self.aims) - 1
        orders: list[Order] = []
        for number in range(self.runs):
            placed = int(chance.uniform(0, 0.5) * last)
            deposit = placed if chance.random() < 0.5 else chance.randint(placed, last)
            order = Order(
                name=f"order-{number:04}",
                by_event=number % 4 == 3,
                asked_twice=chance.random() < 0.2,
                ending=_ENDINGS.get(number % 10, Ending.COMPLETED),
                placed_after=placed,
                deposit_after=deposit,
                balance_after=chance.randint(deposit, last),
            )
            orders.append(order)
        return orders

    def strikes(self) -> list[Strike]:
        """Each round in an order of its own."""
        chance = random.Random(f"strikes {self.seed}")
        drawn: list[Aim] = []
        for _ in range(self.rounds):
            drawn += chance.sample(self.aims, len(self.aims))
        return [
            Strike(
                more_effects=chance.randint(1, MOST_EFFECTS),
                delay=chance.uniform(0, LONGEST_DELAY),
                target=target,
                seconds=_seconds(chance, target),
                cut=cut,
            )
            for target, cut in drawn
        ]


SHORT = Plan(
    runs=20,
    workers=1,
    rounds=1,
    seconds=150,
    seed=4,
    aims=(
        (Target.WORKER, None),
        (Target.TEMPORAL, None),
        (Target.POSTGRES, None),
        (Target.API, None),
        (Target.PROVIDER, Cut.REFUSED),
        (Target.PROVIDER, Cut.ANSWER_LOST),
    ),
)
"""One of each kill, for every day."""

MOST_EFFECTS = 10
LONGEST_DELAY = 0.5
"""Seconds: a strike at the very moment of an effect would always meet one between provider and commit."""
_ENDINGS = {4: Ending.FAILED, 7: Ending.CANCELLED}


def _seconds(chance: random.Random, target: Target) -> float:
    if target is Target.FREEZE:
        return chance.uniform(2, 5)
    if target is Target.PROVIDER:
        return chance.uniform(0.5, 2)
    # As often at once as after a while in which others notice.
    return chance.choice([0.0, chance.uniform(0.5, 3)])
