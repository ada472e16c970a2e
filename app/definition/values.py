"""What JSON values mean to the language: types, truth, equality, order and text. No names are looked up here.

Types are kept apart: a boolean is no number, and a text is never read as a number. Values of different types have no
order, and two different kinds of scalar are not even tested for equality, since `5 == "5"` answering false would hide
the mistake. null can be compared with everything for equality and is equal to null alone.
"""

import json
import math

from app.definition.errors import ConditionError, ExpressionError, LimitError
from app.definition.limits import MAX_RESULT, MAX_RESULT_VALUES, MAX_VALUE_DEPTH, Budget
from app.json import Json

_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "list",
    tuple: "list",
    dict: "object",
}
_SCALARS = frozenset({"boolean", "number", "string"})


def type_name(value: Json) -> str:
    """null, boolean, number, string, list or object."""
    name = _NAMES.get(type(value))
    if name is None:
        raise ExpressionError(f"a {type(value).__name__} is no JSON value")
    return name


def described(value: Json) -> str:
    """The type with its article, for messages: `a number`, `an object`, `null`."""
    name = type_name(value)
    return name if name == "null" else f"{'an' if name == 'object' else 'a'} {name}"


def truthy(value: Json) -> bool:
    """As in Jinja: null, false, 0 and what is empty are false."""
    return bool(value)


def equal(left: Json, right: Json, budget: Budget) -> bool:
    """Equality for `==` and `equals`. Raises ConditionError for two different kinds of scalar."""
    left_type, right_type = type_name(left), type_name(right)
    if left_type == right_type:
        return _same(left, right, left_type, budget)
    if left_type in _SCALARS and right_type in _SCALARS:
        raise incomparable(left, right)
    return False


def same(left: Json, right: Json, budget: Budget) -> bool:
    """Equality for looking something up (`in`, `unique`): values of different types simply differ."""
    budget.pay(1)
    left_type = type_name(left)
    return left_type == type_name(right) and _same(left, right, left_type, budget)


def _same(left: Json, right: Json, kind: str, budget: Budget) -> bool:
    if kind == "list":
        budget.touch(len(left))
        return len(left) == len(right) and all(same(a, b, budget) for a, b in zip(left, right, strict=True))
    if kind == "object":
        budget.touch(len(left))
        return len(left) == len(right) and all(k in right and same(v, right[k], budget) for k, v in left.items())
    if kind == "string":
        budget.touch(len(left))
    else:
        budget.charge()
    return bool(left == right)


def order(left: Json, right: Json, budget: Budget) -> int:
    """-1, 0 or 1. Numbers with numbers, strings with strings (by code point); all else raises ConditionError."""
    if type(left) is int and type(right) is int:
        budget.charge()
        return (left > right) - (left < right)
    kind = type_name(left)
    if kind != type_name(right) or kind not in ("number", "string"):
        raise incomparable(left, right)
    if kind == "string":
        budget.touch(min(len(left), len(right)))
    else:
        budget.charge()
    return int(left > right) - int(left < right)


def incomparable(left: Json, right: Json) -> ConditionError:
    """The error that names both types and says how to convert where that helps."""
    kinds = {type_name(left), type_name(right)}
    hint = {
        frozenset({"number", "string"}): "convert one of them: `| int`, `| float` or `| string`",
        frozenset({"boolean", "string"}): "convert one of them: `| string` makes a boolean 'true' or 'false'",
        frozenset({"null", "number"}): "give it a value when it is null: `| default(0)`",
        frozenset({"null", "string"}): "give it a value when it is null: `| default('')`",
    }.get(frozenset(kinds), "")
    return ConditionError(f"{described(left)} cannot be compared with {described(right)}", hint=hint)


def contains(container: Json, wanted: Json, budget: Budget) -> bool:
    """`wanted in container`: a part of a string, an element of a list, a key of an object."""
    if isinstance(container, str):
        if not isinstance(wanted, str):
            raise ConditionError(f"{described(wanted)} cannot be part of a string", hint="convert it with `| string`")
        budget.touch(len(container))
        budget.seek(len(container), len(wanted))
        return wanted in container
    if isinstance(container, list):
        return any(same(element, wanted, budget) for element in container)
    if isinstance(container, dict):
        if not isinstance(wanted, str):
            raise ConditionError(f"{described(wanted)} cannot be a key of an object", hint="keys are strings")
        budget.read(wanted)
        return wanted in container
    raise ConditionError(f"{described(container)} contains nothing: it is no string, list or object")


def to_text(value: Json, budget: Budget) -> str:
    """How a value stands in text: null as nothing, booleans as true and false, lists and objects as JSON."""
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif value is True or value is False:
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = digits_of(value)
    else:
        return to_json(value, budget)
    budget.create(len(text))
    return text


def digits_of(value: int) -> str:
    """An integer as text. Raises LimitError for one of very many digits."""
    try:
        return str(value)
    except ValueError:  # the interpreter itself refuses to write more than a few thousand digits
        raise LimitError("the number has too many digits to be written out") from None


def _encoder(indent: int | None) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent)


_ENCODE = _encoder(None).encode


def to_json(value: Json, budget: Budget, *, indent: int | None = None) -> str:
    """JSON text of a value, charged by its size before it is made."""
    size = measure(value, budget)
    budget.charge(size >> 5)
    budget.create(size if indent is None else size * 2)
    if indent is not None:
        _pay_indentation(value, indent, budget)
    try:
        return _ENCODE(value) if indent is None else _encoder(indent).encode(value)
    except ValueError:
        raise LimitError("the number has too many digits or is not finite") from None


def _pay_indentation(value: Json, indent: int, budget: Budget) -> None:
    """Each part stands on a line of its own, behind spaces by its depth; and it is Python that writes this, not C."""
    stack: list[tuple[Json, int]] = [(value, 1)]
    while stack:
        container, depth = stack.pop()
        if isinstance(container, dict | list):
            budget.pay(1 + (len(container) >> 1))
            budget.text -= len(container) * indent * depth
            budget.require_text(0)
            parts = container.values() if isinstance(container, dict) else container
            stack.extend((part, depth + 1) for part in parts if isinstance(part, dict | list))


def measure(value: Json, budget: Budget) -> int:
    """About the length of the value as JSON. Raises LimitError for what is too large or nested too deeply.

    Shared parts count each time they appear: a list that holds itself twice, thirty times over, is a gigabyte as JSON.
    """
    size = nodes = 0
    stack: list[tuple[Json, int]] = [((value,), 0)]
    while stack:
        container, depth = stack.pop()
        if depth > MAX_VALUE_DEPTH:
            raise LimitError(f"the result is nested more than {MAX_VALUE_DEPTH} levels deep")
        nodes += len(container)
        size += 2 + 2 * len(container)
        parts = container
        if isinstance(container, dict):
            size += sum(map(len, container)) + 2 * len(container)
            parts = container.values()
        for part in parts:
            kind = type(part)
            if kind is str:
                size += len(part) + 2
            elif kind is dict or kind is list:
                stack.append((part, depth + 1))
            else:
                size += 4 + part.bit_length() // 4 if kind is int else 4
        if size > MAX_RESULT or nodes > MAX_RESULT_VALUES:
            raise LimitError(
                f"the result is larger than {MAX_RESULT // 1024:,} KiB or {MAX_RESULT_VALUES:,} values",
                hint="keep less of it",
            )
    budget.charge(nodes >> 3)
    return size


def require_finite(value: float) -> float:
    """The number itself. JSON has no infinity: raises ExpressionError when it is none."""
    if math.isfinite(value):
        return value
    raise ExpressionError("the result is too large for a number")


def is_number(value: Json) -> bool:
    """True for integers and floats, not for booleans."""
    return type(value) is int or type(value) is float
