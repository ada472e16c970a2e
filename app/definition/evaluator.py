"""The walk over a syntax tree: what each node of an expression yields. Only JSON values exist here.

Dots and brackets look up keys and indices of JSON values, never attributes, so no Python object can be reached. Every
node visited and every character made is charged to the budget; nothing reads a clock or draws a random number.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from jinja2 import nodes

from app.definition import operations
from app.definition.errors import ExpressionError, MissingError, shorten
from app.definition.filters import FILTERS
from app.definition.limits import Budget
from app.definition.nearest import suggestion
from app.definition.predicates import TESTS
from app.definition.syntax import Parsed
from app.definition.values import contains, described, equal, to_text, truthy
from app.json import Json, JsonObject

Visit: TypeAlias = Callable[["Evaluation", Any], Json]

FUNCTIONS: dict[str, str] = {"range": "numbers from a start (0) up to, not including, a stop, in steps"}
"""Functions by name, with one line about each."""


class Evaluation:
    """One evaluation over one context. Holds the budget and the names that `{% set %}` and `{% for %}` add."""

    __slots__ = ("budget", "context", "scopes")

    def __init__(self, context: Mapping[str, Json], budget: Budget | None = None) -> None:
        self.context = context
        self.budget = budget or Budget()
        self.scopes: list[JsonObject] = []

    def result(self, parsed: Parsed) -> Json:
        """The value of a single expression, with its type, or the text of a template."""
        if parsed.single is not None:
            return self.value(parsed.single)
        self.scopes.append({})
        try:
            pieces: list[str] = []
            self._render(parsed.body, pieces)
            return "".join(pieces)
        finally:
            self.scopes.pop()

    def value(self, node: nodes.Node) -> Json:
        """What an expression node yields."""
        self.budget.charge()
        return _VISITS[type(node)](self, node)

    def apply_filter(self, name: str, value: Json, args: Sequence[Json], named: Mapping[str, Json]) -> Json:
        """Run a filter. Raises ExpressionError for an unknown one and for arguments it does not take."""
        known = FILTERS.get(name)
        if known is None:
            raise ExpressionError(f"unknown filter '{shorten(name, 60)}'", hint=suggestion(name, FILTERS))
        return known(self, value, args, named)

    def apply_test(self, name: str, value: Json, args: Sequence[Json]) -> bool:
        """Run a test (`is name`). Raises ExpressionError for an unknown one and for arguments it does not take."""
        known = TESTS.get(name)
        if known is None:
            raise ExpressionError(f"unknown test '{shorten(name, 60)}'", hint=suggestion(name, TESTS))
        return bool(known(self, value, args, {}))

    # Blocks

    def _render(self, body: Sequence[nodes.Node], pieces: list[str]) -> None:
        for node in body:
            self.budget.charge()
            if isinstance(node, nodes.Output):
                self._render_output(node, pieces)
            elif isinstance(node, nodes.If):
                self._render(self._branch(node), pieces)
            elif isinstance(node, nodes.For):
                self._render_loop(node, pieces)
            elif isinstance(node, nodes.Assign):
                self._assign(node.target, self.value(node.node))
            else:
                raise ExpressionError(f"{type(node).__name__} is not part of the language")

    def _render_output(self, node: nodes.Output, pieces: list[str]) -> None:
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                self.budget.create(len(part.data))
                pieces.append(part.data)
            else:
                pieces.append(to_text(self.value(part), self.budget))

    def _branch(self, node: nodes.If) -> list[nodes.Node]:
        for candidate in (node, *node.elif_):
            if truthy(self.value(candidate.test)):
                return candidate.body
        return node.else_

    def _render_loop(self, node: nodes.For, pieces: list[str]) -> None:
        items = operations.elements(self.value(node.iter), "a for loop")
        if node.test is not None:
            items = [item for item in items if self._holds_for(node.target, item, node.test)]
        for index, item in enumerate(items):
            self.budget.charge()
            self.scopes.append({"loop": operations.loop_names(index, len(items))})
            try:
                self._assign(node.target, item)
                self._render(node.body, pieces)
            finally:
                self.scopes.pop()
        if not items:
            self._render(node.else_, pieces)

    def _holds_for(self, target: nodes.Node, item: Json, test: nodes.Node) -> bool:
        self.scopes.append({})
        try:
            self._assign(target, item)
            return truthy(self.value(test))
        finally:
            self.scopes.pop()

    def _assign(self, target: nodes.Node, value: Json) -> None:
        if isinstance(target, nodes.Name):
            self.scopes[-1][target.name] = value
            return
        if not isinstance(target, nodes.Tuple):
            raise ExpressionError("only names can be set")
        if not isinstance(value, list) or len(value) != len(target.items):
            raise ExpressionError(f"{described(value)} cannot be spread over {len(target.items)} names")
        self.budget.pay(len(target.items) >> 1)
        for part, element in zip(target.items, value, strict=True):
            self._assign(part, element)

    # Names and members

    def name(self, node: nodes.Name) -> Json:
        for scope in reversed(self.scopes):
            if node.name in scope:
                return scope[node.name]
        if node.name in self.context:
            return self.context[node.name]
        if node.name in FUNCTIONS:
            raise MissingError(f"'{node.name}' is a function", hint=f"call it: {node.name}(...)")
        if node.name == "null":
            raise MissingError("unknown name 'null'", hint="write none")
        known = chain(self.context, *self.scopes)
        unknown = f"unknown name '{shorten(node.name, 60)}'"
        raise MissingError(unknown, hint=lambda: suggestion(node.name, known, what="there are"))

    def getattr(self, node: nodes.Getattr) -> Json:
        holder = self.value(node.node)
        if isinstance(holder, dict) and node.attr in holder:
            return holder[node.attr]
        raise _missing(node.node, holder, node.attr)

    def getitem(self, node: nodes.Getitem) -> Json:
        holder = self.value(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(holder, node.arg)
        key = self.value(node.arg)
        if isinstance(holder, dict) and isinstance(key, str):
            self.budget.read(key)
            if key in holder:
                return holder[key]
        elif isinstance(holder, list | str) and type(key) is int and -len(holder) <= key < len(holder):
            return holder[key]
        raise _missing(node.node, holder, key)

    def _slice(self, holder: Json, node: nodes.Slice) -> Json:
        if not isinstance(holder, list | str):
            raise ExpressionError(f"{described(holder)} has no slices", hint="lists and strings have")
        bounds = [None if part is None else self.value(part) for part in (node.start, node.stop, node.step)]
        if any(bound is not None and type(bound) is not int for bound in bounds) or bounds[2] == 0:
            raise ExpressionError("the bounds of a slice are integers, its step is not 0")
        self.budget.create(len(holder)) if isinstance(holder, str) else self.budget.charge(len(holder))
        return holder[slice(*bounds)]

    # Operators

    def compare(self, node: nodes.Compare) -> bool:
        left = self.value(node.expr)
        for operand in node.ops:
            right = self.value(operand.expr)
            if not self._compare_one(operand.op, left, right):
                return False
            left = right
        return True

    def _compare_one(self, operator: str, left: Json, right: Json) -> bool:
        if operator in ("eq", "ne"):
            return equal(left, right, self.budget) == (operator == "eq")
        if operator in ("in", "notin"):
            return contains(right, left, self.budget) == (operator == "in")
        return operations.ordered(operator, left, right, self.budget)

    def call(self, node: nodes.Call) -> Json:
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        if name not in FUNCTIONS:
            hint = f"it is a filter: `value | {name}`" if name in FILTERS else suggestion(name, FUNCTIONS)
            raise ExpressionError(f"unknown function '{shorten(name, 60)}'", hint=hint)
        args, named = self.arguments(node)
        if named:
            raise ExpressionError(f"{name} takes no named arguments")
        return operations.number_range(args, self.budget)

    def arguments(self, node: nodes.Call | nodes.Filter | nodes.Test) -> tuple[list[Json], JsonObject]:
        """Positional and named arguments of a call, evaluated in order."""
        return [self.value(arg) for arg in node.args], {str(pair.key): self.value(pair.value) for pair in node.kwargs}

    def filter(self, node: nodes.Filter) -> Json:
        if node.node is None:
            raise ExpressionError(f"the filter '{node.name}' has nothing to work on")
        if node.name in ("default", "d"):
            return self._default(node)
        value = self.value(node.node)
        args, named = self.arguments(node)
        return self.apply_filter(node.name, value, args, named)

    def _default(self, node: nodes.Filter) -> Json:
        """`x | default(y)`: y when x, or anything on the way to it, is missing or null."""
        args, named = self.arguments(node)
        try:
            value = self.value(node.node)  # type: ignore[arg-type]  # `filter` made sure there is one
        except MissingError:
            value = None
        return self.apply_filter("default", value, args, named)

    def test(self, node: nodes.Test) -> bool:
        if node.name in ("defined", "undefined"):
            if problem := TESTS[node.name].misused(len(node.args), [str(pair.key) for pair in node.kwargs]):
                raise ExpressionError(problem)
            try:
                self.value(node.node)
            except MissingError:
                return node.name == "undefined"
            return node.name == "defined"
        args, _named = self.arguments(node)
        return self.apply_test(node.name, self.value(node.node), args)

    def dict(self, node: nodes.Dict) -> JsonObject:
        made: JsonObject = {}
        for pair in node.items:
            key = self.value(pair.key)
            if not isinstance(key, str):
                raise ExpressionError(f"{described(key)} cannot be a key of an object", hint="keys are strings")
            made[key] = self.value(pair.value)
        return made

    def concat(self, node: nodes.Concat) -> str:
        pieces = [to_text(self.value(part), self.budget) for part in node.nodes]
        self.budget.create(sum(map(len, pieces)))
        return "".join(pieces)


def _missing(holder_node: nodes.Node, holder: Json, key: Json) -> ExpressionError:
    """Why a lookup found nothing, naming where it looked and what there is."""
    where = shorten(spelled(holder_node)) or described(holder)
    if isinstance(holder, dict) and isinstance(key, str):
        wanted = shorten(key, 60)
        message = {"steps": f"no step '{wanted}' has run", "vars": f"there is no variable '{wanted}'"}.get(
            where, f"{where} has no '{wanted}'"
        )
        return MissingError(message, hint=lambda: suggestion(key, holder, what="it has") or "it is empty")
    if holder is None:
        return MissingError(
            f"{where} is null and has no {_shown(key)}", hint="use `| default(...)` when it may be missing"
        )
    if isinstance(holder, list | str) and type(key) is int:
        return MissingError(f"{where} has no element {_shown(key)}", hint=f"it has {len(holder)}")
    hint = f"use a filter: `| {key}`" if isinstance(key, str) and key in FILTERS else ""
    return MissingError(f"{where} is {described(holder)} and has no {_shown(key)}", hint=hint)


def _shown(key: Json) -> str:
    """A key as it is written, when that is short. Python itself refuses to write very long numbers."""
    if isinstance(key, list | dict) or (type(key) is int and abs(key) > 10**18):
        return described(key)
    return shorten(repr(key[:80] if isinstance(key, str) else key), 60)


def spelled(node: nodes.Node) -> str:
    """A chain of lookups as its author wrote it (`steps.a.output`), empty for anything else."""
    parts: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            parts.append(f".{node.attr}")
        elif isinstance(node.arg, nodes.Const):
            parts.append(f"[{node.arg.value!r}]")
        else:
            return ""
        node = node.node
    return node.name + "".join(reversed(parts)) if isinstance(node, nodes.Name) else ""


def _binary(name: str) -> Visit:
    operation = operations.BINARY[name]
    return lambda run, node: operation(run.value(node.left), run.value(node.right), run.budget)


def _condexpr(run: Evaluation, node: nodes.CondExpr) -> Json:
    chosen = node.expr1 if truthy(run.value(node.test)) else node.expr2
    return None if chosen is None else run.value(chosen)


_VISITS: dict[type[nodes.Node], Visit] = {
    nodes.Const: lambda run, node: node.value,
    nodes.TemplateData: lambda run, node: node.data,
    nodes.Name: Evaluation.name,
    nodes.Getattr: Evaluation.getattr,
    nodes.Getitem: Evaluation.getitem,
    nodes.Filter: Evaluation.filter,
    nodes.Test: Evaluation.test,
    nodes.Call: Evaluation.call,
    nodes.Compare: Evaluation.compare,
    nodes.Concat: Evaluation.concat,
    nodes.Dict: Evaluation.dict,
    nodes.List: lambda run, node: [run.value(item) for item in node.items],
    nodes.Tuple: lambda run, node: [run.value(item) for item in node.items],
    nodes.CondExpr: _condexpr,
    nodes.Not: lambda run, node: not truthy(run.value(node.node)),
    nodes.And: lambda run, node: run.value(node.right) if truthy(left := run.value(node.left)) else left,
    nodes.Or: lambda run, node: left if truthy(left := run.value(node.left)) else run.value(node.right),
    nodes.Neg: lambda run, node: operations.negated(run.value(node.node)),
    nodes.Pos: lambda run, node: operations.need_number(run.value(node.node), "+"),
    **{kind: _binary(kind.__name__) for kind in (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div)},
    **{kind: _binary(kind.__name__) for kind in (nodes.FloorDiv, nodes.Mod, nodes.Pow)},
}
"""What to do for each kind of node. Kinds that are not here were refused when the text was read."""
