"""Random definitions for property tests: mostly sensible, now and then wrong, and never longer than moments to run."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import strategies as st

from app.json import Json, JsonObject

INPUT: JsonObject = {"n": 3, "list": [3, 1, 2], "people": [{"age": 1, "name": "Ada"}], "text": "hi", "pause": "1ms"}
"""What the expressions below are written for."""

EXPRESSIONS = [
    "{{ trigger.n }}",
    "{{ trigger.n + 1 }}",
    "{{ trigger.list }}",
    "{{ trigger.people[0].name | upper }}",
    "hello {{ trigger.text }}",
    "{{ vars.a }}",
    "{{ vars.b | default(7) }}",
    "{{ now }}",
    "{{ run.id }}",
    "{{ 'x' * 50 }}",
    "{{ range(4) | list }}",
    "{% for i in range(3) %}{{ i }}{% endfor %}",
    "{{ steps.s1.output | default('none') }}",
    "{{ steps.s2.status | default('none') }}",
]
DOUBTFUL = [
    "{{ steps.s1.output }}",
    "{{ steps.s9.output.value }}",
    "{{ item }}",
    "{{ loop.index }}",
    "{{ error.message }}",
    "{{ trigger.nothing }}",
    "{{ trigger.n + trigger.text }}",
    "{{ 1 / (trigger.n - 3) }}",
    "{{ trigger.list | first | length }}",
    "{{ nothing }}",
    "{{ trigger.n | unknown }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x' * 99999999 }}",
    "{{ broken",
]

_texts = st.sampled_from(EXPRESSIONS * 3 + DOUBTFUL) | st.text(max_size=5)
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)

_fields = st.sampled_from(
    ["trigger.n", "trigger.text", "trigger.list", "vars.a", "trigger.nothing", "item.age", "steps.s1"]
)
_operators = st.sampled_from(
    ["equals", "not_equals", "greater_than", "less_than", "contains", "is_empty", "exists", "equals", "before"]
)
_comparisons = st.fixed_dictionaries({"field": _fields, "operator": _operators, "value": values})
conditions = st.recursive(
    st.sampled_from(["{{ true }}", "{{ trigger.n > 2 }}", "{{ trigger.n }}", "{{ vars.a == none }}", "{{ item > 1 }}"])
    | _comparisons,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=3,
)
durations = st.sampled_from(
    ["0s", "1ms", "5ms", "PT0.002S", "{{ trigger.pause }}", "{{ trigger.n }}ms", "{{ trigger.text }}"]
)
_items = st.sampled_from(
    ["{{ trigger.list }}", "{{ trigger.people }}", "{{ trigger.n }}", "{{ range(3) | list }}"]
) | st.lists(values, max_size=3)
_error_types = st.sampled_from(["expression", "limit_exceeded", "timeout", "provider_rejected", "wait_timed_out"])
_moments = st.sampled_from(["2001-01-01T00:00:00Z", "{{ now }}", "{{ trigger.text }}", "yesterday"])


def _sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Left out in most cases (None)."""
    return st.none() | st.none() | st.none() | strategy


def _kinds(steps: st.SearchStrategy[list[JsonObject]], stub: str) -> list[st.SearchStrategy[JsonObject]]:
    """The fields of each kind, `type` included."""

    def kind(type: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[JsonObject]:
        return st.fixed_dictionaries({"type": st.just(type), **fields})

    branch = st.fixed_dictionaries({"when": conditions, "steps": steps})
    named = st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "A b"]), "steps": steps}
    )
    urls = st.sampled_from([f"{stub}/ok", f"{stub}/gone", f"{stub}/down", f"{stub}/{{{{ trigger.n }}}}", "nowhere"])
    return [
        kind("action", action=st.just("http.request"), inputs=st.fixed_dictionaries({"url": urls})),
        kind(
            "action",
            action=st.sampled_from(["transform.map", "transform.map", "transform.map", "no.such"]),
            inputs=st.fixed_dictionaries({"mapping": st.dictionaries(st.sampled_from(["x", "y"]), values, min_size=1)}),
        ),
        kind("condition", branches=st.lists(branch, min_size=1, max_size=2), **{"else": steps | st.just([])}),
        kind("delay", duration=durations),
        kind("delay", until=_moments),
        kind(
            "wait_for_event",
            event=st.sampled_from(["x.y", "x.*", "crm.contact.created"]),
            timeout=durations,
            on_timeout=st.sampled_from(["continue", "fail"]),
            match=_sometimes(_comparisons | st.just({"id": "{{ trigger.n }}"})),
        ),
        kind(
            "approval",
            title=st.sampled_from(["Go?", "{{ trigger.n }}"]),
            approvers=st.sampled_from([[], ["ann", "bob"]]),
            timeout=durations,
            on_timeout=st.sampled_from(["continue", "fail"]),
            notify=st.just([]) | steps,
        ),
        kind("loop", items=_items, steps=steps, concurrency=st.integers(1, 3), collect=_sometimes(values)),
        *(
            kind(
                "repeat",
                steps=steps,
                max_iterations=st.integers(1, 3),
                on_exhausted=st.sampled_from(["fail", "continue", "continue"]),
                interval=_sometimes(durations | st.just("{{ loop.number }}ms")),
                **{ends: conditions | st.just("{{ loop.index > 0 }}")},
            )
            for ends in ("until", "while")
        ),
        kind(
            "parallel",
            branches=st.lists(named, min_size=1, max_size=3),
            wait_for=st.sampled_from(["all", "all", "any", 1, 2]),
            on_branch_error=st.sampled_from(["cancel", "wait"]),
        ),
        kind("set_variable", variables=st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1)),
        kind("transform", mapping=st.dictionaries(st.sampled_from(["x", "value"]), values, min_size=1)),
        kind("filter", items=_items, where=conditions),
        kind("aggregate", items=_items, operation=st.sampled_from(["sum", "count", "max", "unique", "group_by"])),
        kind("stop", status=st.sampled_from(["completed", "failed", "cancelled"]), reason=_texts, output=values),
    ]


def _steps(depth: int, stub: str, *, body: bool) -> st.SearchStrategy[list[JsonObject]]:
    """Lists of steps; `body`: those that may be held, since the run's timeout ends that, and undone."""
    leaf = st.just([{"type": "transform", "mapping": {"leaf": "{{ trigger.n }}"}}])
    inner = _steps(depth - 1, stub, body=body) if depth else leaf
    kinds = _kinds(inner, stub)
    undo = _steps(0, stub, body=False) if body and depth else leaf
    common = st.fixed_dictionaries(
        {
            "when": _sometimes(conditions),
            "enabled": _sometimes(st.booleans()),
            "output_key": _sometimes(st.sampled_from(["other", "p", "q", "r"])),
            "on_error": _sometimes(st.sampled_from(["fail", "continue", *(["hold"] if body else [])])),
            "error_steps": _sometimes(inner),
            "compensate": _sometimes(undo) if body else st.none(),
            "retry": _sometimes(
                st.fixed_dictionaries(
                    {"max_attempts": st.integers(1, 3)},
                    optional={"retry_on": st.lists(_error_types, min_size=1, max_size=2)},
                )
            ),
            "timeout": _sometimes(st.sampled_from(["50ms", "1s", "{{ trigger.pause }}"])),
        }
    )
    one = st.builds(_merged, st.one_of(kinds), common)
    return st.lists(one, min_size=1, max_size=3)


def _merged(kind: JsonObject, common: JsonObject) -> JsonObject:
    step = {name: value for name, value in {**common, **kind}.items() if value is not None}
    if "error_steps" in step:
        step["on_error"] = "branch"
    if "retry" in step or step["type"] == "action":
        step["retry"] = {"max_attempts": 2, **step.get("retry", {}), "initial_interval": "1ms", "max_interval": "1ms"}
    return step


def numbered(value: Json, numbers: Iterator[int]) -> Json:
    """The same with ids `s1`, `s2`, ... for the steps in it, outer ones first."""
    if isinstance(value, list):
        return [numbered(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    if "type" in value and ("retry" in value or set(value) & _OF_STEPS):
        value = {"id": f"s{next(numbers)}", **value}
    return {name: numbered(item, numbers) if name in _HOLD_STEPS else item for name, item in value.items()}


_HOLD_STEPS = {"steps", "branches", "else", "error_steps", "compensate", "finally"}
_OF_STEPS = {"mapping", "inputs", "branches", "duration", "until", "while", "event", "items", "variables", "where"}
_OF_STEPS |= {"reason"}


def definitions(stub: str) -> st.SearchStrategy[JsonObject]:
    """Definition documents; `stub` is the base URL of a provider with `/ok`, `/gone` and `/down`."""
    heads = st.fixed_dictionaries(
        {
            "steps": _steps(2, stub, body=True),
            "finally": _sometimes(_steps(0, stub, body=False)),
            "output": values,
            "variables": st.fixed_dictionaries({"a": values, "b": st.none()}),
            "settings": st.fixed_dictionaries(
                {
                    "dispatch": st.sampled_from(["local_first", "local_first", "scheduled"]),
                    "timeout": _sometimes(st.sampled_from(["300ms", "5s"])),
                    "on_failure": st.sampled_from(["fail", "fail", "fail", "hold"]),
                }
            ),
        }
    )
    return heads.map(_whole)


def _whole(head: JsonObject) -> JsonObject:
    document: JsonObject = numbered({name: item for name, item in head.items() if item is not None}, count(1))
    if '"hold"' in json.dumps(document):
        # Nobody decides: what is held is ended by the run's timeout.
        document["settings"] = {**document["settings"], "timeout": "300ms"}
    return document
