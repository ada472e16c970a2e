"""The workflow that is run under chaos, what its runs do to the ledger, and who places the orders, over HTTP alone.

A customer insists: what is not answered is asked again with the same key or id, until the API takes it. What became of
the orders is looked into elsewhere.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

from app.json import Json, JsonObject
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Ending, Order

PLACED = "chaos.order.placed"
PAID = "chaos.order.paid"
SOURCE = "chaos"

REQUEST_SECONDS = 20.0
_LOOK_SECONDS = 0.25
_LONGEST_PAUSE = 1.0


def definition(ledger_url: str) -> JsonObject:
    """Five effects, two payments of one type that must not be taken for each other, a loop beside a delay.

    The second payment is waited for from its wait on: the first one, delivered twice, would show there. An order that
    is refused fails in the middle; that, and being cancelled, undoes what was done.
    """
    reserve = _effect("reserve", ledger_url) | {"compensate": [_effect("release", ledger_url)]}
    charge = _effect("charge", ledger_url) | {"compensate": [_effect("refund", ledger_url)]}
    refuse = {"id": "refuse", "type": "stop", "status": "failed", "reason": "refused"}
    ship = _effect("ship", ledger_url, "ship-{{ parcel }}")
    letter = [{"id": "ink_dries", "type": "delay", "duration": "300ms"}, _effect("write", ledger_url)]
    parcels = {"id": "parcels", "type": "loop", "items": [1, 2], "item_variable": "parcel", "steps": [ship]}
    branches = [{"name": "goods", "steps": [parcels]}, {"name": "letter", "steps": letter}]
    return {
        "name": "Order under chaos",
        "triggers": [{"type": "manual"}, {"type": "event", "event": PLACED}],
        "steps": [
            reserve,
            _payment("deposit", "run_start"),
            charge,
            {"id": "check", "type": "condition", "branches": [{"when": "{{ trigger.refused }}", "steps": [refuse]}]},
            _payment("balance", "wait_start"),
            {"id": "fulfil", "type": "parallel", "branches": branches},
        ],
        "finally": [_effect("notify", ledger_url) | {"when": "{{ status != 'completed' }}"}],
    }


def _effect(id: str, url: str, name: str | None = None) -> JsonObject:
    return {
        "id": id,
        "type": "action",
        "action": "http.request",
        "inputs": {"method": "POST", "url": url, "json": {"order": "{{ trigger.order }}", "effect": name or id}},
        "retry": {"max_attempts": 1000, "initial_interval": "200ms", "backoff": 1.5, "max_interval": "2s"},
    }


def _payment(id: str, since: str) -> JsonObject:
    match = {"field": "data.order", "operator": "equals", "value": "{{ trigger.order }}"}
    return {"id": id, "type": "wait_for_event", "event": PAID, "match": match, "since": since}


@dataclass
class Sent:
    """An event the API took: what it is about, and what the answers said it did."""

    id: str
    type: str
    order: str
    started: set[str] = field(default_factory=set)


class Refused(Exception):
    """The API refused a request that is right; the message holds its answer."""


@dataclass
class Customers:
    """All who place orders, and what they were told."""

    client: httpx.AsyncClient
    ledger: Ledger
    after: Callable[[int], Awaitable[None]]
    """Until so many strikes were carried out."""
    workflow_id: str = ""
    runs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of the runs that were answered for an order: one each, if all is well."""
    events: dict[str, Sent] = field(default_factory=dict)
    insisted: int = 0
    """Requests made again because the API did not answer or said that it could not."""
    _waiting: asyncio.Condition = field(default_factory=asyncio.Condition)
    _at: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Ids of the runs that wait, by step and order."""

    async def publish(self) -> None:
        """The workflow, active."""
        workflow = await self._insist("/v1/workflows", {"name": "Chaos", "definition": definition(self.ledger.url)})
        self.workflow_id = workflow["id"]
        await self._insist(f"/v1/workflows/{self.workflow_id}/publish", {})

    async def order(self, order: Order) -> None:
        """Place the order, pay or cancel, and see all of its effects done."""
        await self.after(order.placed_after)
        await (self._place_by_event(order) if order.by_event else self._place(order))
        await self.after(order.deposit_after)
        await self._pay(order, "deposit")
        if order.ending is not Ending.FAILED:
            await self.after(order.balance_after)
            await self._waits_or_is_done(order, "balance")
            await (self._cancel(order) if order.ending is Ending.CANCELLED else self._pay(order, "balance"))
        await self.ledger.has(order.name, set(order.effects))

    async def _waits_or_is_done(self, order: Order, step: str) -> None:
        """A run that is done without having waited there will be found out; nobody need wait for it."""

        def so() -> bool:
            return order.name in self._at[step] or self.ledger.done[order.name] >= set(order.effects)

        async with self._waiting:
            await self._waiting.wait_for(so)

    async def look(self) -> None:
        """See, again and again, which runs wait at which step, as a person with a list would. Until cancelled."""
        while True:
            found: dict[str, dict[str, str]] = defaultdict(dict)
            path: str | None = f"/v1/runs?waiting_for={PAID}&limit=200"
            while path is not None:
                page = await self._insist(path, None, method="GET")
                for run in page["items"]:
                    found[run["current_step"]][run["input"]["order"]] = run["id"]
                cursor = page["next_cursor"]
                path = None if cursor is None else f"/v1/runs?waiting_for={PAID}&limit=200&cursor={cursor}"
            async with self._waiting:
                self._at = found
                self._waiting.notify_all()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _place(self, order: Order) -> None:
        path, body = f"/v1/workflows/{self.workflow_id}/runs", {"input": _data(order)}
        for _ in range(2 if order.asked_twice else 1):
            run = await self._insist(path, body, {"Idempotency-Key": order.name})
            self.runs[order.name].add(run["id"])

    async def _place_by_event(self, order: Order) -> None:
        sent = await self._send(order, f"{order.name}/placed", PLACED, _data(order))
        self.runs[order.name] |= sent.started

    async def _pay(self, order: Order, payment: str) -> None:
        name = f"{order.name}/{payment}"
        await self._send(order, name, PAID, {"order": order.name, "payment": name})

    async def _cancel(self, order: Order) -> None:
        """What was asked for before it was heard of may have happened already."""
        run_id = self._at["balance"].get(order.name)
        if run_id is not None:
            await self._insist(f"/v1/runs/{run_id}/cancel", None, fine="run_finished")

    async def _send(self, order: Order, id: str, type: str, data: JsonObject) -> Sent:
        sent = self.events[id] = Sent(id, type, order.name)
        event = {"specversion": "1.0", "id": id, "source": SOURCE, "type": type, "data": data}
        for _ in range(2 if order.asked_twice else 1):
            answer = await self._insist("/v1/events", event)
            sent.started |= set(answer["items"][0]["started"])
        return sent

    async def _insist(
        self,
        path: str,
        body: Json,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        fine: str | None = None,
    ) -> JsonObject:
        """Ask until there is an answer. Raises `Refused` for one that will not change, but for the code `fine`."""
        pause = 0.05
        while True:
            try:
                answer = await self.client.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                pass
            else:
                if answer.is_success or (answer.status_code == 409 and answer.json()["code"] == fine):
                    content: JsonObject = answer.json()
                    return content
                if answer.status_code < 500 and answer.status_code not in (408, 429):
                    raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
            self.insisted += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _data(order: Order) -> JsonObject:
    return {"order": order.name, "refused": order.ending is Ending.FAILED}
