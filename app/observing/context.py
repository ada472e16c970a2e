"""What is being worked on right now, for log lines: ids that say which request, run and step a line is about, and the
secrets in use that no line may repeat. Both follow the task they were noted in. Nothing is logged or measured here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from app.json import Json

SHORTEST_SECRET = 4
"""A shorter text stands in too many words to be hidden wherever it stands."""
MOST_SECRETS = 200
"""So many are remembered in a task, the latest ones."""

Facts = Mapping[str, str | int]

_NOTHING: Facts = MappingProxyType({})
_facts: ContextVar[Facts] = ContextVar("holdfast_facts", default=_NOTHING)
_secrets: ContextVar[tuple[str, ...]] = ContextVar("holdfast_secrets", default=())


def facts() -> Facts:
    """The ids of what is worked on: `request_id`, `workspace_id`, `run_id`, `step` and so on, those that are known."""
    return _facts.get()


def note(**facts: str | int) -> None:
    """Add ids, for the rest of this task."""
    _facts.set({**_facts.get(), **facts})


@contextmanager
def bound(**facts: str | int) -> Iterator[None]:
    """Only these ids inside the block, and what is noted there; as before after it."""
    facts_before, secrets_before = _facts.set(facts), _secrets.set(())
    try:
        yield
    finally:
        _facts.reset(facts_before)
        _secrets.reset(secrets_before)


def hide(value: Json) -> None:
    """Keep every text in the value out of the log lines of this task, from now on."""
    found = tuple(text for text in _texts(value) if len(text) >= SHORTEST_SECRET)
    if found:
        _secrets.set(tuple(dict.fromkeys((*_secrets.get(), *found)))[-MOST_SECRETS:])


def secrets() -> tuple[str, ...]:
    """What `hide` was given in this task."""
    return _secrets.get()


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
