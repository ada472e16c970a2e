"""What a filter is, and how its arguments are checked. The filters stand beside this, one module a subject."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.definition.errors import ExpressionError
from app.definition.limits import Budget
from app.definition.values import described
from app.json import Json


class Run(Protocol):
    """What a filter may use besides its arguments: the budget, and other filters and tests by name."""

    @property
    def budget(self) -> Budget: ...
    def apply_filter(self, name: str, value: Json, args: Sequence[Json], named: Mapping[str, Json]) -> Json: ...
    def apply_test(self, name: str, value: Json, args: Sequence[Json]) -> bool: ...


@dataclass(frozen=True)
class Filter:
    """A filter or test: a function of the run, the value and its arguments, and one line for people.

    `price` is what each call costs, in units of work (about a microsecond), however small the value; 0 where the
    function makes a text, which costs one at least. What grows with the value is paid where it is done, and every text
    where `text` hands it out.
    """

    function: Callable[..., Json]
    description: str
    usage: str = ""
    price: int = 1
    judge: Callable[..., str] | None = None
    """What is wrong with arguments that are constants, found when a workflow is published; empty when nothing is."""
    signature: inspect.Signature = field(init=False, repr=False, compare=False)
    fitting: range = field(init=False, repr=False, compare=False)
    """How many positional arguments it takes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signature", inspect.signature(self.function))
        object.__setattr__(self, "fitting", _fitting(self.signature))

    def __call__(self, run: Run, value: Json, args: Sequence[Json], named: Mapping[str, Json]) -> Json:
        """Apply it. Raises ExpressionError when it does not take these arguments, or not this value."""
        run.budget.pay(self.price)
        # Binding takes longer than most filters do, and `map` and `select` call them for every element.
        unusual = named or len(args) not in self.fitting
        if unusual and (problem := self.misused(len(args), named)):
            raise ExpressionError(problem, hint=self.usage)
        return self.function(run, value, *args, **named)

    def misused(self, count: int, named: Iterable[str]) -> str:
        """Why it does not take so many arguments and these named ones; empty when it does."""
        try:
            self.signature.bind(None, None, *range(count), **dict.fromkeys(named))
        except TypeError as error:
            return f"{self.name} is used wrongly: {error}"
        return ""

    @property
    def name(self) -> str:
        """The name it is documented under."""
        return self.usage.partition("(")[0] or self.function.__name__.strip("_")


def _fitting(signature: inspect.Signature) -> range:
    own = list(signature.parameters.values())[2:]
    positional = [one for one in own if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    any_number = any(one.kind is one.VAR_POSITIONAL for one in own)
    needed = sum(one.default is one.empty for one in positional)
    return range(needed, sys.maxsize if any_number else len(positional) + 1)


def text(run: Run, value: Json, what: str) -> str:
    """The value when it is a string, paid for being read; raises ExpressionError otherwise."""
    if isinstance(value, str):
        run.budget.read(value)
        return value
    hint = "use `| default('')` when it may be missing" if value is None else "convert it with `| string`"
    raise ExpressionError(f"{what} needs a string, not {described(value)}", hint=hint)


def items(value: Json, what: str) -> list[Json]:
    """The value when it is a list; raises ExpressionError otherwise."""
    if isinstance(value, list):
        return value
    hint = "use `| values`, `| keys` or `| items` to make a list of it" if isinstance(value, dict) else ""
    raise ExpressionError(f"{what} needs a list, not {described(value)}", hint=hint)


def mapping(value: Json, what: str) -> dict[str, Json]:
    """The value when it is an object; raises ExpressionError otherwise."""
    if isinstance(value, dict):
        return value
    raise ExpressionError(f"{what} needs an object, not {described(value)}")


def integer(value: Json, what: str, low: int, high: int) -> int:
    """The value when it is an integer from low to high; raises ExpressionError otherwise."""
    if type(value) is int and low <= value <= high:
        return value
    got = str(value) if type(value) is int and abs(value) < 10**18 else described(value)
    raise ExpressionError(f"{what} needs an integer from {low} to {high}, not {got}")
