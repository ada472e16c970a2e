"""Random definitions whose runs end the same whenever they are run: nothing in them depends on who is first.

`alone`: one thing after the other, so that all of a run can be compared. Otherwise branches and items go on side by
side, and only its status and its output say the same each time.
"""

from itertools import count
from typing import Any

from hypothesis import strategies as st

from app.json import JsonObject
from tests.support.definitions import numbered

_VALUES = st.sampled_from(
    [
        "{{ trigger.n }}",
        "{{ trigger.list | sum }}",
        "hello {{ trigger.text }}",
        "{{ loop.index }}",
        "{{ item }}",
        1,
        [True, None],
        "{{ trigger.nothing }}",
    ]
)
_HOLDS = st.sampled_from(
    ["{{ true }}", "{{ trigger.n > 2 }}", "{{ false }}", "{{ trigger.nothing }}", "{{ loop.index == 1 }}"]
)


def _sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.none() | st.none() | strategy


def _kinds(steps: st.SearchStrategy[list[JsonObject]], stub: str, *, alone: bool) -> list[st.SearchStrategy[Any]]:
    def kind(type: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries({"type": st.just(type), **fields})

    def either(*texts: str) -> st.SearchStrategy[str]:
        return st.sampled_from(texts)

    values = _VALUES | st.just("{{ vars.a }}") if alone else _VALUES
    urls = st.sampled_from([f"{stub}/ok", f"{stub}/ok", f"{stub}/gone", f"{stub}/down", f"{stub}/{{{{ trigger.n }}}}"])
    items = st.sampled_from(["{{ trigger.list }}", "{{ range(7) | list }}", "{{ trigger.n }}", [1, 2]])
    branch = st.fixed_dictionaries({"when": _HOLDS, "steps": steps})
    named = st.lists(steps, min_size=2, max_size=3).map(
        lambda found: [{"name": f"b{number}", "steps": steps} for number, steps in enumerate(found)]
    )
    effect = kind("action", action=st.just("http.request"), inputs=st.fixed_dictionaries({"url": urls}))
    kinds = [
        effect,
        effect,
        kind("transform", mapping=st.fixed_dictionaries({"x": values})),
        kind("delay", duration=st.sampled_from(["0s", "1ms", "{{ trigger.n }}ms"])),
        kind("wait_for_event", event=st.just("x"), timeout=st.just("1ms"), on_timeout=either("continue", "fail")),
        kind("condition", branches=st.lists(branch, min_size=1, max_size=2), **{"else": steps}),
        kind("loop", items=items, steps=steps, concurrency=st.just(1) if alone else st.integers(1, 4)),
        kind(
            "repeat",
            steps=steps,
            max_iterations=st.integers(1, 6),
            on_exhausted=either("fail", "continue"),
            until=either("{{ false }}", "{{ loop.index == 2 }}"),
        ),
    ]
    stop = {"type": "stop", "reason": "enough"}
    stops = either("completed", "failed", "cancelled").map(
        lambda status: {
            "type": "condition",
            "branches": [{"when": "{{ loop.index == 1 }}", "steps": [stop | {"status": status}]}],
        }
    )
    if alone:
        return [
            *kinds,
            kind("set_variable", variables=st.fixed_dictionaries({"a": values})),
            stops,
        ]
    return [*kinds, kind("parallel", branches=named, on_branch_error=st.just("wait"))]


def _steps(depth: int, stub: str, *, alone: bool) -> st.SearchStrategy[list[JsonObject]]:
    leaf = st.just([{"type": "action", "action": "http.request", "inputs": {"url": f"{stub}/leaf"}}])
    inner = _steps(depth - 1, stub, alone=alone) if depth else leaf
    common = st.fixed_dictionaries(
        {
            "when": _sometimes(_HOLDS),
            "on_error": _sometimes(st.just("continue")),
            "error_steps": _sometimes(inner),
            "compensate": _sometimes(leaf),
            "retry": _sometimes(st.fixed_dictionaries({"max_attempts": st.integers(1, 3)})),
        }
    )
    return st.lists(st.builds(_merged, st.one_of(_kinds(inner, stub, alone=alone)), common), min_size=1, max_size=2)


def _merged(kind: JsonObject, common: JsonObject) -> JsonObject:
    step = {name: value for name, value in {**common, **kind}.items() if value is not None}
    if "error_steps" in step:
        step["on_error"] = "branch"
    if "retry" in step or step["type"] == "action":
        pauses = {"initial_interval": "1ms", "max_interval": "1ms"}
        step["retry"] = {"max_attempts": 2, **step.get("retry", {}), **pauses}
    return step


def steady_definitions(stub: str, *, alone: bool) -> st.SearchStrategy[JsonObject]:
    """Definition documents; `stub` is the base URL of a provider with `/ok`, `/gone` (404) and `/down` (503)."""
    heads = st.fixed_dictionaries(
        {
            "steps": _steps(2, stub, alone=alone).map(lambda steps: [_several_times(steps, alone=alone)]),
            "finally": _sometimes(
                st.just([{"type": "action", "action": "http.request", "inputs": {"url": f"{stub}/last"}}])
            ),
            "output": st.sampled_from(["{{ vars.a }}" if alone else "{{ trigger.n }}", "{{ steps.all.output.count }}"]),
            "variables": st.just({"a": 1}),
        }
    )
    return heads.map(lambda head: numbered({name: part for name, part in head.items() if part is not None}, count(1)))


def _several_times(steps: list[JsonObject], *, alone: bool) -> JsonObject:
    """In a loop, so that a few steps make events enough to continue as new, and know `item` and `loop`."""
    items = "{{ range(5) | list }}"
    return {
        "id": "all",
        "type": "loop",
        "items": items,
        "concurrency": 1 if alone else 2,
        "collect": "{{ loop.index }}",
        "steps": steps,
    }
