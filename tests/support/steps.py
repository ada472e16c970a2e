"""Steps for definitions in tests, one short call each. `http` of `tests.support.engine` makes the effects."""

from typing import Any

from app.json import Json, JsonObject

BAD: JsonObject = {"id": "bad", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
"""Fails, and trying again does not help."""
ONCE: JsonObject = {"max_attempts": 1}
QUICK: JsonObject = {"max_attempts": 3, "initial_interval": "1ms", "jitter": 0}
SCHEDULED: JsonObject = {"dispatch": "scheduled"}
"""A local activity under way keeps messages and timers waiting for some seconds; a scheduled one does not."""


def put(id: str, value: Json = 1, **more: Any) -> JsonObject:
    """Output `{value}`."""
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


def let(id: str, **variables: Json) -> JsonObject:
    """Set variables of the run."""
    return {"id": id, "type": "set_variable", "variables": variables}


def delay(id: str, duration: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "delay", "duration": duration, **more}


def wait(id: str, event: str = "go", **more: Any) -> JsonObject:
    return {"id": id, "type": "wait_for_event", "event": event, **more}


def stop(id: str, status: str = "completed", **more: Any) -> JsonObject:
    return {"id": id, "type": "stop", "status": status, **more}


def group(id: str, *steps: JsonObject, **more: Any) -> JsonObject:
    """Steps under one policy: a condition that always holds."""
    return {"id": id, "type": "condition", "branches": [{"when": "{{ true }}", "steps": list(steps)}], **more}


def loop(id: str, items: Json, *steps: JsonObject, **more: Any) -> JsonObject:
    """`items`: a list, an expression, or a number: so many items from 0."""
    if isinstance(items, int):
        items = f"{{{{ range({items}) | list }}}}"
    return {"id": id, "type": "loop", "items": items, "steps": list(steps), **more}


def repeat(id: str, *steps: JsonObject, **more: Any) -> JsonObject:
    return {"id": id, "type": "repeat", "steps": list(steps), **more}


def parallel(id: str, *branches: list[JsonObject], **more: Any) -> JsonObject:
    """Branches named `b0`, `b1` and so on."""
    named = [{"name": f"b{number}", "steps": steps} for number, steps in enumerate(branches)]
    return {"id": id, "type": "parallel", "branches": named, **more}
