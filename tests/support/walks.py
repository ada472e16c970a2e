"""Definitions of every kind, nested and side by side, whose runs end the same however often they continue as new.

Each makes a few hundred events. `{url}` in them is the provider's; `/gone` answers 404, `/flaky/<n>` fails twice and
then answers well, all else answers well.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.db.models import Run
from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, QUICK, SCHEDULED, delay, group, let, loop, parallel, put, repeat, stop, wait

Drive = Callable[[Engine, Run], Awaitable[None]]


async def _leave(_engine: Engine, _run: Run) -> None:
    """Nothing has to happen for the run to end."""


@dataclass(frozen=True)
class Walk:
    """A definition; `drive` sends what its run waits for, `most_events` make it continue as new some times."""

    definition: JsonObject
    drive: Drive = _leave
    most_events: int = 13


def prepare(stub: HttpStub) -> None:
    """The provider of all walks. Called again, its flaky answers fail anew."""
    stub.requests.clear()
    stub.answer("/gone", Answer(status=404))
    stub.answer("/large", Answer(body="x" * 20_000))
    for number in range(8):
        stub.answer(f"/flaky/{number}", Answer(status=503), Answer(status=503), Answer(json={"n": number}))


def get(id: str, path: str = "/ok", **more: Any) -> JsonObject:
    """An effect at the provider."""
    return http(id, "{{ trigger.url }}" + path, **more)


async def _answers_each(engine: Engine, run: Run) -> None:
    """One event for each of six waits in a row, which takes the event with its own number."""
    for number in range(6):
        await engine.at(run, f"each[{number}].answer")
        await engine.send("go", {"n": number + 1, "wrong": True})
        await engine.send("go", {"n": number})


_UNDO = [get("undo", "/undo?n={{ item }}")]
_SUM: JsonObject = {"id": "sum", "type": "aggregate", "items": "{{ steps.each.output.results }}", "operation": "sum"}

WALKS: Mapping[str, Walk] = {
    "effects in a row": Walk(
        {
            "steps": [get("s0"), *(get(f"s{n}", f"/{{{{ steps.s{n - 1}.status }}}}/{n}") for n in range(1, 22))],
            "output": "{{ steps.s0.status ~ steps.s21.attempts }}",
        }
    ),
    "a loop": Walk(
        {
            "steps": [loop("each", 20, get("fetch", "/{{ item }}"), collect="{{ item * loop.number }}"), _SUM],
            "output": ["{{ steps.each.output }}", "{{ steps.sum.output.result }}"],
        }
    ),
    "a loop of scheduled effects": Walk(
        {"settings": SCHEDULED, "steps": [loop("each", 6, get("fetch", "/{{ item }}"))], "output": "{{ steps.each }}"}
    ),
    "a loop of many at once": Walk(
        {
            "steps": [
                loop(
                    "each",
                    16,
                    delay("pause", "{{ item % 5 }}ms"),
                    get("fetch", "/{{ item }}"),
                    put("last", "{{ steps.pause.output.waited }}-{{ loop.index }}"),
                    concurrency=4,
                )
            ],
            "output": "{{ steps.each.output }}",
        }
    ),
    "loops in loops": Walk(
        {
            "steps": [
                loop(
                    "each",
                    6,
                    put("outer", "{{ item }}"),
                    loop(
                        "inner",
                        "{{ range(loop.number) | list }}",
                        get("fetch", "/{{ steps.outer.output.value }}/{{ one }}"),
                        item_variable="one",
                        concurrency=2,
                        collect="{{ item * 10 + one }}",
                    ),
                    collect="{{ steps.inner.output.results }}",
                )
            ],
            "output": "{{ steps.each.output }}",
        }
    ),
    "conditions in loops": Walk(
        {
            "steps": [
                loop(
                    "each",
                    14,
                    {
                        "id": "choice",
                        "type": "condition",
                        "branches": [
                            {"when": "{{ item % 3 == 0 }}", "name": "third", "steps": [get("third", "/3/{{ item }}")]},
                            {"when": "{{ item % 2 == 0 }}", "steps": [put("second", "{{ item }}")]},
                        ],
                        "else": [get("other", "/1/{{ item }}"), delay("pause", "1ms")],
                    },
                    put("off", enabled=False),
                    put("never", when="{{ item > 100 }}"),
                    collect="{{ [steps.choice.output.branch, steps.never.status, steps.third.status | default('-')] }}",
                )
            ],
            "output": "{{ steps.each.output.results }}",
        }
    ),
    "branches side by side": Walk(
        {
            "steps": [
                parallel(
                    "all",
                    [loop("each", 10, get("fetch", "/{{ item }}")), put("done", "{{ steps.each.output.count }}")],
                    [loop("pauses", 8, delay("pause", "1ms"), concurrency=2)],
                    [put("pure"), get("single")],
                    [delay("long", "700ms"), put("late", "{{ steps.long.output.waited }}")],
                )
            ],
            "output": ["{{ steps.all.output.b0 }}", "{{ steps.late.output }}", "{{ steps.pure.output }}"],
        }
    ),
    "the first branch that ends": Walk(
        {
            "steps": [
                parallel("first", [loop("each", 20, get("fetch", "/{{ item }}"))], [wait("never")], wait_for="any"),
                get("after"),
            ],
            "output": "{{ steps.first.output.b0.count }}",
        }
    ),
    "a branch that fails while the others go on": Walk(
        {
            "steps": [
                parallel(
                    "all",
                    [loop("few", 5, get("fetch", "/{{ item }}")), get("fails", "/gone")],
                    [loop("many", 25, get("other", "/{{ item }}"))],
                    on_branch_error="wait",
                    on_error="continue",
                ),
                get("after"),
            ],
            "output": ["{{ steps.all.status }}", "{{ steps.many.output.count }}", "{{ steps.all.error.type }}"],
        }
    ),
    "a group tried again": Walk(
        {
            "steps": [
                group(
                    "group",
                    loop("each", 8, get("fetch", "/{{ item }}")),
                    get("fails", "/flaky/0", retry=ONCE),
                    loop("more", 8, get("again", "/{{ item }}")),
                    retry=QUICK,
                )
            ],
            "output": "{{ steps.group.attempts }}",
        }
    ),
    "items tried again": Walk(
        {
            "steps": [
                loop(
                    "each",
                    8,
                    group("group", get("fetch"), get("fails", "/flaky/{{ item }}", retry=ONCE), retry=QUICK),
                    get("flaky", "/ok", retry=QUICK),
                    collect="{{ [steps.group.attempts, steps.fails.output.body.n] }}",
                    concurrency=2,
                )
            ],
            "output": "{{ steps.each.output.results }}",
        },
        most_events=40,
    ),
    "errors that are taken care of": Walk(
        {
            "steps": [
                loop(
                    "each",
                    12,
                    get("gone", "/gone", on_error="branch", error_steps=[get("repair", "/by/{{ error.step_id }}")]),
                    {**BAD, "on_error": "continue"},
                    collect="{{ [steps.gone.error.type, steps.repair.status, steps.bad.error.type] }}",
                )
            ],
            "output": "{{ steps.each.output.results }}",
        }
    ),
    "many error steps": Walk(
        {
            "steps": [
                group(
                    "group",
                    get("first"),
                    get("gone", "/gone"),
                    on_error="branch",
                    error_steps=[loop("each", 20, get("repair", "/{{ error.step_id }}/{{ item }}")), put("repaired")],
                ),
                get("after"),
            ],
            "output": ["{{ steps.group.status }}", "{{ steps.each.output.count }}", "{{ steps.repaired.output }}"],
        }
    ),
    "variables": Walk(
        {
            "variables": {"total": 0, "seen": []},
            "steps": [
                let("begin", total="{{ vars.total + 1000 }}"),
                loop(
                    "each",
                    25,
                    get("fetch", "/{{ vars.total }}"),
                    let("add", total="{{ vars.total + item }}"),
                    group("only_even", let("note", seen="{{ vars.seen + [item] }}"), when="{{ item % 2 == 0 }}"),
                ),
                let("end", total="{{ vars.total + 1 }}"),
            ],
            "output": ["{{ vars.total }}", "{{ vars.seen }}"],
        }
    ),
    "kept variables": Walk(
        {
            "variables": {"n": 0},
            "steps": [loop("each", 15, {**let("keep", n="{{ vars.n + 1 }}"), "scope": "workflow"}, get("fetch"))],
            "output": "{{ vars.n }}",
        }
    ),
    "until something holds": Walk(
        {
            "variables": {"n": 0},
            "steps": [
                repeat(
                    "poll",
                    get("check", "/{{ loop.index }}"),
                    let("count", n="{{ vars.n + 1 }}"),
                    put("seen", "{{ loop.number }}"),
                    until="{{ steps.seen.output.value == 10 }}",
                    interval="1ms",
                ),
            ],
            "output": ["{{ steps.poll.output }}", "{{ vars.n }}"],
        }
    ),
    "while something holds": Walk(
        {
            "variables": {"n": 0},
            "steps": [
                repeat(
                    "poll",
                    loop("each", 3, get("fetch", "/{{ vars.n }}/{{ item }}"), concurrency=3),
                    let("count", n="{{ vars.n + 1 }}"),
                    **{"while": "{{ vars.n < 6 }}"},
                )
            ],
            "output": ["{{ steps.poll.output.iterations }}", "{{ vars.n }}"],
        }
    ),
    "a stop deep inside": Walk(
        {
            "steps": [
                loop(
                    "each",
                    30,
                    get("fetch", "/{{ item }}"),
                    parallel("both", [wait("never", when="{{ item == 6 }}")], [delay("pause", "1ms"), put("pure")]),
                    group("end", stop("enough", "failed", reason="enough"), when="{{ item == 7 }}"),
                )
            ],
            "finally": [get("tell", "/{{ status }}")],
        },
        drive=lambda engine, run: _answers(engine, run, "each[6].both.never"),
    ),
    "a stop beside a wait": Walk(
        {
            "steps": [
                parallel(
                    "both",
                    [loop("each", 20, get("fetch", "/{{ item }}")), stop("end", "completed", output={"n": 1})],
                    [wait("never")],
                )
            ],
            "finally": [get("tell", "/{{ status }}")],
        }
    ),
    "everything undone": Walk(
        {
            "steps": [
                get("first", compensate=[get("undo_first", "/undo/first")]),
                loop("each", 12, get("fetch", "/{{ item }}", compensate=_UNDO), collect="{{ item }}"),
                get("last", compensate=[get("undo_last", "/{{ error.type }}/{{ steps.each.output.count }}")]),
                get("fails", "/gone"),
            ],
            "finally": [get("tell", "/{{ status }}")],
        }
    ),
    "much to do at the end": Walk(
        {"steps": [BAD], "finally": [loop("each", 20, get("tell", "/{{ status }}/{{ item }}")), put("last")]}
    ),
    "large answers": Walk(
        {
            "settings": SCHEDULED,
            "steps": [
                loop("each", 5, get("fetch", "/large"), collect="{{ steps.fetch.output.body | length }}"),
                get("large", "/large"),
                loop("more", 4, get("again", "/ok"), collect="{{ item }}"),
            ],
            "output": ["{{ steps.each.output.results }}", "{{ steps.large.output.body | length }}"],
        }
    ),
    "waits in a row": Walk(
        {
            "steps": [
                loop("each", 6, wait("answer", match={"n": "{{ item }}"}), collect="{{ steps.answer.output.n }}")
            ],
            "output": "{{ steps.each.output.results }}",
        },
        drive=_answers_each,
    ),
    "everything in everything": Walk(
        {
            "variables": {"n": 0},
            "steps": [
                loop(
                    "each",
                    3,
                    parallel(
                        "both",
                        [
                            repeat(
                                "poll",
                                group("inside", get("check", "/{{ item }}/{{ loop.index }}"), delay("pause", "1ms")),
                                put("round", "{{ loop.number }}"),
                                until="{{ loop.number == 4 }}",
                            )
                        ],
                        [
                            loop("deep", 3, group("limited", get("fetch", "/deep"), timeout="1h"), concurrency=3),
                            {**BAD, "on_error": "branch", "error_steps": [get("repair"), put("repaired")]},
                        ],
                    ),
                    collect="{{ [steps.poll.output, steps.repaired.output, steps.deep.output.count] }}",
                    timeout="1h",
                )
            ],
            "output": "{{ steps.each.output.results }}",
        },
        most_events=60,
    ),
    "results seen later": Walk(
        {
            "steps": [
                loop("each", 20, get("fetch", "/{{ item }}"), put("double", "{{ item * 2 }}")),
                {
                    "id": "some",
                    "type": "filter",
                    "items": "{{ steps.each.output.results }}",
                    "where": "{{ item.value > 20 }}",
                },
                get("send", "/send", inputs={"method": "POST", "json": "{{ steps.some.output }}"}),
                loop("again", "{{ steps.some.output.items }}", get("each_of", "/{{ item.value }}")),
            ],
            "output": {"some": "{{ steps.some.output }}", "count": "{{ steps.again.output.count }}"},
        }
    ),
}


async def _answers(engine: Engine, run: Run, path: str) -> None:
    await engine.at(run, path)
    await engine.send("go")
