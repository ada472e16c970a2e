"""However a run is interrupted, and however often: redriven to its end it has done every effect once, and no other."""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass

import pytest

from app.db.models import Run
from app.json import JsonObject
from app.services import redriving
from app.services.launching import has_ended
from app.store import runs as run_store
from tests.support.engine import Engine, Finished, http
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.waiting import eventually

ROUNDS = 40


@dataclass(frozen=True)
class Place:
    """Where a step stands: how deep it may still go, the loops around it, and whether nothing is walked beside it."""

    depth: int = 2
    items: tuple[str, ...] = ()
    alone: bool = True

    def inside(self, *items: str, alone: bool = True) -> "Place":
        return Place(self.depth - 1, (*self.items, *items), self.alone and alone)


class Trees:
    """Random definitions whose every effect asks for an address of its own, loop indices included."""

    def __init__(self, chance: random.Random, url: str) -> None:
        self._chance, self._url, self._ids = chance, url, 0

    def definition(self) -> JsonObject:
        dispatch = self._chance.choice(["local_first", "scheduled"])
        steps = [step for _ in range(3) for step in self._steps(Place())]
        return {"variables": {"n": 0}, "steps": steps, "output": "{{ vars.n }}", "settings": {"dispatch": dispatch}}

    def _steps(self, place: Place) -> list[JsonObject]:
        return [self._step(place) for _ in range(self._chance.randint(1, 3))]

    def _step(self, place: Place) -> JsonObject:
        self._ids += 1
        kinds = [self._effect] * 4 + [self._transform]
        kinds += [self._counter] if place.alone else []
        kinds += [self._repeat] if not place.items else []
        kinds += [self._loop, self._condition, self._parallel] if place.depth else []
        return self._chance.choice(kinds)(f"s{self._ids}", place)

    def _effect(self, id: str, place: Place) -> JsonObject:
        return http(id, "-".join([f"{self._url}/{id}", *(f"{{{{ {item} }}}}" for item in place.items)]))

    def _transform(self, id: str, place: Place) -> JsonObject:
        return {"id": id, "type": "transform", "mapping": {"id": id}}

    def _counter(self, id: str, place: Place) -> JsonObject:
        return {"id": id, "type": "set_variable", "variables": {"n": "{{ vars.n + 1 }}"}}

    def _repeat(self, id: str, place: Place) -> JsonObject:
        inner = http(f"{id}_poll", f"{self._url}/{id}-{{{{ loop.index }}}}")
        return {"id": id, "type": "repeat", "until": "{{ loop.index == 1 }}", "steps": [inner]}

    def _loop(self, id: str, place: Place) -> JsonObject:
        at_once = self._chance.choice([1, 2])
        items = list(range(self._chance.randint(1, 3)))
        steps = self._steps(place.inside(f"item_{id}", alone=at_once == 1))
        return {
            "id": id, "type": "loop", "items": items, "item_variable": f"item_{id}", "concurrency": at_once,
            "steps": steps,
        }  # fmt: skip

    def _condition(self, id: str, place: Place) -> JsonObject:
        branch = {"when": "{{ vars.n >= 0 }}", "steps": self._steps(place.inside())}
        return {"id": id, "type": "condition", "branches": [branch]}

    def _parallel(self, id: str, place: Place) -> JsonObject:
        branches = [{"name": name, "steps": self._steps(place.inside(alone=False))} for name in ("one", "two")]
        policy = self._chance.choice(["cancel", "wait"])
        return {"id": id, "type": "parallel", "on_branch_error": policy, "branches": branches}


class Provider:
    """Answers by the key; refuses some effects the first time, and interrupts the run while it does others."""

    def __init__(self, chance: random.Random, engine: Engine) -> None:
        self._chance, self._engine = chance, engine
        self._answers: dict[str, Answer] = {}
        self._told: set[str] = set()
        self.done: defaultdict[str, set[str]] = defaultdict(set)
        """Keys under which an effect was done, by its address."""
        self._run: asyncio.Future[Run] = asyncio.Future()

    def know(self, run: Run) -> None:
        """This is the run that asks from now on."""
        self._run.set_result(run)

    def forget(self) -> None:
        """The run has ended; another is about to ask."""
        self._run = asyncio.Future()

    async def answer(self, asked: Asked) -> Answer:
        key = asked.headers["Idempotency-Key"]
        if key not in self._answers:
            self._answers[key] = await self._decide(asked.path, key)
        return self._answers[key]

    async def _decide(self, path: str, key: str) -> Answer:
        fate = 1.0 if path in self._told else self._chance.random()
        self._told.add(path)
        if fate < 0.12:
            return Answer(status=402)
        self.done[path].add(key)
        if fate < 0.17:
            await self._terminate()
        elif fate < 0.22:
            await (await self._engine.handle(await self._run)).cancel()
        return Answer(json={"ok": True})

    async def _terminate(self) -> None:
        run = await self._run
        await (await self._engine.handle(run)).terminate("by hand")
        error = {"type": "terminated", "message": "by hand", "step_id": None, "path": None}
        async with self._engine.platform.database.transaction(self._engine.workspace_id) as session:
            await run_store.end(session, self._engine.workspace_id, run.id, status="failed", error=error)


async def _ended(engine: Engine, run: Run) -> Finished:
    """The run once its row has ended, too: that of one that is terminated does so later."""

    async def noted() -> bool:
        return has_ended(await engine.row(run))

    await engine.end(run)
    await eventually(noted, what="the row has ended")
    return await engine.end(run)


@pytest.mark.parametrize("seed", range(10))
async def test_a_run_redriven_to_its_end_did_every_effect_once(engine: Engine, http_stub: HttpStub, seed: int) -> None:
    chance = random.Random(seed)
    definition = Trees(chance, http_stub.url).definition()
    provider = Provider(chance, engine)
    http_stub.otherwise(provider.answer)
    run = await engine.start(definition)
    provider.know(run)
    done = await _ended(engine, run)
    for _ in range(ROUNDS):
        if done.run.status == "completed":
            break
        assert done.run.status in ("failed", "cancelled")
        provider.forget()
        run = await redriving.redrive(engine.platform, engine.workspace_id, run.id)
        provider.know(run)
        done = await _ended(engine, run)
    assert {path: keys for path, keys in provider.done.items() if len(keys) != 1} == {}
    asked = set(provider.done)
    # Every address was refused or interrupted, or not, by now: this one goes through.
    untroubled = await engine.run(definition)
    assert set(provider.done) == asked
    assert done.output == untroubled.output
    assert done.statuses() == untroubled.statuses()
    assert done.run.steps_completed == untroubled.run.steps_completed
