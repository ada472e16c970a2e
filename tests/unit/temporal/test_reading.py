"""Messages are read as the SDK reads them, and written as it writes them."""

import dataclasses
import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import ModuleType
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.converter import AdvancedJSONEncoder, value_to_type

from app.temporal import child_messages, messages, record_messages, schedule, upkeep
from app.temporal.payloads import DATA_CONVERTER
from app.temporal.reading import reader


def _messages(module: ModuleType) -> list[type]:
    found = (each for _, each in inspect.getmembers(module, inspect.isclass) if dataclasses.is_dataclass(each))
    return [each for each in found if each.__module__ == module.__name__]


MESSAGES = [
    message for module in (messages, record_messages, child_messages, schedule, upkeep) for message in _messages(module)
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=5,
)


def _fitting(hint: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON that mostly fits the type: a field may be missing, unknown, or of any other kind."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if depth > 3:
        return JSON
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        parts = {name: _fitting(part, depth + 1) for name, part in hints.items()}
        whole = st.fixed_dictionaries(parts)
        some = st.fixed_dictionaries({"unknown": JSON}, optional=parts)
        return st.one_of(whole, whole, some) if depth == 0 else whole
    if origin is list:
        return st.lists(_fitting(arguments[0], depth + 1), max_size=2)
    if origin is dict:
        return st.dictionaries(st.text(max_size=3), _fitting(arguments[1], depth + 1), max_size=2)
    if arguments:
        return st.one_of(*(_fitting(part, depth + 1) for part in arguments))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=5),
        bool: st.booleans(),
        int: st.integers(),
        float: st.floats(allow_nan=False) | st.integers(-9, 9),
        type(None): st.none(),
    }
    return simple.get(hint, JSON)


def _outcome(read: Callable[[], Any]) -> str:
    try:
        # As text, so that 1, 1.0 and True differ.
        return repr(read())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _is_read_alike(hint: Any, value: Any) -> None:
    written = json.dumps(value)
    expected = _outcome(lambda: value_to_type(hint, json.loads(written)))
    assert _outcome(lambda: reader(hint)(json.loads(written))) == expected


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_every_message_is_read_as_the_sdk_reads_it(message: type) -> None:
    @settings(max_examples=12, deadline=None)
    @given(_fitting(message), JSON)
    def check(value: Any, other: Any) -> None:
        _is_read_alike(message, value)
        _is_read_alike(message, other)
        for name in typing.get_type_hints(message):
            if isinstance(value, dict) and name in value:
                _is_read_alike(message, {**value, name: other})

    check()


class Colour(StrEnum):
    RED = "red"


@dataclass
class Tree:
    """Holds others of its own kind, and a field that is not given."""

    name: str = ""
    below: "list[Tree]" = field(default_factory=list)
    parent: "Tree | None" = None


@dataclass
class Counted:
    """A field that is made, not given."""

    name: str
    length: int = field(init=False, default=0)


VALUES: list[Any] = [
    None, True, 0, 1, 2**70, 1.0, 1.5, "", "a", "1", "red", "2026-01-01T00:00:00+00:00", [], [1], [1, "a"], ["a"],
    [None], {}, {"a": 1}, {"1": "a"}, {"name": "a"}, {"name": 1}, {"name": "a", "below": [{"name": "b"}]},
    {"name": "a", "below": "text"}, {"name": "a", "parent": {"parent": {}}}, {"name": "a", "length": 3},
    {"a": {"name": "b"}}, [{"name": "a", "unknown": 1}],
]  # fmt: skip


@pytest.mark.parametrize(
    "hint",
    [
        str, int, float, bool, type(None), Any,
        int | bool, bool | int, list[int | bool], list[bool | int], datetime, Colour, Literal["a", 1],
        Tree, Counted, list, dict, list[Any],
        list[int], list[Tree], dict[str, int], dict[int, str], dict[str, Any], tuple[int, str], set[str], str | None,
        int | None, float | None, None | str, int | str, str | int | None, Tree | None, Tree | str | None, Any | None,
        list[str] | None, dict[str, Tree] | None, typing.Optional[Tree], typing.Union[int, bool],  # noqa: UP007, UP045
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_type_is_read_as_the_sdk_reads_it(hint: Any) -> None:
    for value in VALUES:
        _is_read_alike(hint, value)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_every_message_is_written_as_the_sdk_writes_it(message: type) -> None:
    @settings(max_examples=8, deadline=None)
    @given(_fitting(message))
    def check(value: Any) -> None:
        try:
            made = value_to_type(message, value)
        except TypeError:
            return
        as_sdk = json.dumps(made, cls=AdvancedJSONEncoder, separators=(",", ":"), ensure_ascii=False).encode()
        assert DATA_CONVERTER.payload_converter.to_payload(made).data == as_sdk

    check()
