"""JSON values as the types that messages are declared with: what the SDK's `value_to_type` gives, found out once for a
type instead of once for a value. What a type is not planned for here, or is wrong about a value, is left to the SDK.
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from temporalio.converter import value_to_type

Reader = Callable[[Any], Any]


def reader(hint: Any) -> Reader:
    """A function that reads JSON values (as `json.loads` makes them) as this type. It may hand parts of one on as they
    are; raises what `value_to_type` raises."""
    return _reader(hint, repr(hint))


@lru_cache(maxsize=1024)
def _reader(hint: Any, _spelled: str) -> Reader:
    """`int | bool` and `bool | int` are equal, and read 1 differently: so types are told apart by how they are spelled,
    too."""
    plan = _plan(hint)

    def read(value: Any) -> Any:
        if plan is not None:
            try:
                return plan(value)
            except Exception:  # noqa: S110  (the SDK says what is wrong, or that nothing is)
                pass
        return value_to_type(hint, value)

    return read


class _UnplannedError(Exception):
    """The value is none that the plan is for."""


def _plan(hint: Any) -> Reader | None:
    """How values of the usual shape are read; None where only the SDK knows."""
    if hint is Any:
        return lambda value: value
    if hint in (str, bool, int):
        return _exactly(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if origin in (list, dict):
        return _container_of(origin, arguments)
    if isinstance(hint, type) and is_dataclass(hint) and all(field.init for field in fields(hint)):
        return _message(hint)
    return None


def _exactly(kind: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _UnplannedError
        return value

    return read


def _optional(alternatives: tuple[Any, ...]) -> Reader | None:
    """One type or None. Others of several are tried in turn by the SDK, where what one refuses counts."""
    if len(alternatives) != 2 or alternatives[1] is not type(None):
        return None
    read_value = reader(alternatives[0])
    refuses_none = _plan(alternatives[0]) is not None and alternatives[0] is not Any
    return (lambda value: None if value is None else read_value(value)) if refuses_none else None


def _container_of(kind: type, arguments: tuple[Any, ...]) -> Reader | None:
    if kind is list:
        return _list_of(arguments[0])
    return _object_of(arguments[1]) if arguments[0] is str else None


def _list_of(item: Any) -> Reader:
    read_item = reader(item)

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _UnplannedError
        return value if item is Any else [read_item(each) for each in value]

    return read


def _object_of(item: Any) -> Reader:
    read_item = reader(item)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _UnplannedError
        return value if item is Any else {name: read_item(each) for name, each in value.items()}

    return read


def _message(message: Any) -> Reader:
    """Fields are looked up when the first value comes: a message may hold others of its own kind."""
    readers: dict[str, Reader] = {}

    def read(value: Mapping[str, Any]) -> Any:
        if type(value) is not dict:
            raise _UnplannedError
        if not readers:
            hints = typing.get_type_hints(message)
            readers.update({field.name: reader(hints[field.name]) for field in fields(message)})
        return message(**{name: read_field(value[name]) for name, read_field in readers.items() if name in value})

    return read
