"""What an expression refers to, read from its syntax tree without evaluating it; and what in it does not exist."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jinja2 import nodes

from app.definition.errors import ExpressionError, Path
from app.definition.evaluator import FUNCTIONS
from app.definition.filters import FILTERS
from app.definition.nearest import suggestion
from app.definition.predicates import TESTS
from app.definition.syntax import is_template, parse
from app.json import Json


@dataclass(frozen=True, slots=True)
class Reference:
    """One name an expression looks up: `steps.a.output[0]` is root `steps`, path `("a", "output", 0)`.

    The path ends where it is no longer constant. `guarded`: it stands inside `default()`, or the same text asks whether
    it is defined, so it may be missing. `place` is where in the value the expression stands.
    """

    root: str
    path: Path
    guarded: bool
    place: Path = ()


def references(value: Json) -> list[Reference]:
    """All references in the templates of a value. Texts that cannot be read are left to `syntax_problems`."""
    found: list[Reference] = []
    for place, text in templates(value):
        try:
            body = parse(text).body
        except ExpressionError:
            continue
        scope: set[str] = set()
        here = [reference for node in body for reference in _of(node, scope, False, place)]
        tested = [
            (one.root, one.path) for node in body for test in _tests(node) for one in _of(test, set(), True, place)
        ]
        found.extend(replace(one, guarded=True) if _is_tested(one, tested) else one for one in here)
    return found


def _tests(node: nodes.Node) -> Iterator[nodes.Node]:
    """What `is defined` is asked of."""
    for test in node.find_all(nodes.Test):
        if test.name in ("defined", "undefined"):
            yield test.node


def _is_tested(reference: Reference, tested: list[tuple[str, Path]]) -> bool:
    """Whether the same text asks if it is defined: `steps.a.output if steps.a is defined else 0`."""
    return any(reference.root == root and reference.path[: len(path)] == path for root, path in tested)


def syntax_problems(value: Json) -> list[tuple[Path, str, str]]:
    """What is wrong with the templates of a value whatever the context: (place, message, hint)."""
    problems: list[tuple[Path, str, str]] = []
    for place, text in templates(value):
        try:
            body = parse(text).body
        except ExpressionError as error:
            problems.append((place, error.message, error.hint))
            continue
        for node in body:
            problems.extend((place, message, hint) for message, hint in _unknown(node))
    return problems


def templates(value: Json, place: Path = ()) -> Iterator[tuple[Path, str]]:
    """Texts with expressions at any depth of a value, each with its place. Not recursive: values may be deep."""
    stack: list[tuple[Path, Json]] = [(place, value)]
    while stack:
        where, part = stack.pop()
        if isinstance(part, str):
            if is_template(part):
                yield where, part
        elif isinstance(part, dict):
            stack.extend(((*where, key), part[key]) for key in reversed(part))
        elif isinstance(part, list):
            stack.extend(((*where, index), part[index]) for index in reversed(range(len(part))))


def _of(node: nodes.Node, scope: set[str], guarded: bool, place: Path) -> Iterator[Reference]:
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        yield from _chain(node, scope, guarded, place)
    elif isinstance(node, nodes.For):
        yield from _of(node.iter, scope, guarded, place)
        inner = {*scope, "loop", *_targets(node.target)}
        for child in (*([node.test] if node.test else []), *node.body):
            yield from _of(child, inner, guarded, place)
        for child in node.else_:
            yield from _of(child, scope, guarded, place)
    elif isinstance(node, nodes.Assign):
        yield from _of(node.node, scope, guarded, place)
        scope.update(_targets(node.target))
    elif isinstance(node, nodes.Call):
        for child in (*node.args, *node.kwargs):
            yield from _of(child, scope, guarded, place)
    else:
        yield from _of_children(node, scope, guarded, place)


def _of_children(node: nodes.Node, scope: set[str], guarded: bool, place: Path) -> Iterator[Reference]:
    guards = (isinstance(node, nodes.Filter) and node.name in ("default", "d")) or (
        isinstance(node, nodes.Test) and node.name in ("defined", "undefined")
    )
    guarding = node.node if guards and isinstance(node, nodes.Filter | nodes.Test) else None
    for child in node.iter_child_nodes():
        yield from _of(child, scope, guarded or child is guarding, place)


def _chain(node: nodes.Node, scope: set[str], guarded: bool, place: Path) -> Iterator[Reference]:
    """A chain of lookups from a name. What stands in brackets may refer to names of its own."""
    path: list[str | int] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
            path.append(node.arg.value)
        else:
            path.clear()
            yield from _of(node.arg, scope, guarded, place)
        node = node.node
    if not isinstance(node, nodes.Name):
        yield from _of(node, scope, guarded, place)
    elif node.name not in scope:
        yield Reference(node.name, tuple(reversed(path)), guarded, place)


def _targets(target: nodes.Node) -> list[str]:
    return [target.name] if isinstance(target, nodes.Name) else [name.name for name in target.find_all(nodes.Name)]


def _unknown(node: nodes.Node) -> Iterator[tuple[str, str]]:
    """Filters, tests and functions that do not exist, in the node and all below it."""
    for part in (node, *node.find_all((nodes.Filter, nodes.Test, nodes.Call))):
        if isinstance(part, nodes.Filter) and part.name not in FILTERS:
            yield f"unknown filter '{part.name}'", suggestion(part.name, FILTERS)
        elif isinstance(part, nodes.Test) and part.name not in TESTS:
            yield f"unknown test '{part.name}'", suggestion(part.name, TESTS)
        elif isinstance(part, nodes.Filter | nodes.Test):
            yield from _misused(part)
        elif isinstance(part, nodes.Call) and isinstance(part.node, nodes.Name) and part.node.name not in FUNCTIONS:
            name = part.node.name
            hint = f"it is a filter: `value | {name}`" if name in FILTERS else suggestion(name, FUNCTIONS)
            yield f"unknown function '{name}'", hint
        if isinstance(part, nodes.Filter):
            yield from _unknown_by_name(part)


def _misused(part: nodes.Filter | nodes.Test) -> Iterator[tuple[str, str]]:
    """Arguments a filter or test does not take."""
    known = (FILTERS if isinstance(part, nodes.Filter) else TESTS)[part.name]
    if problem := known.misused(len(part.args), [str(pair.key) for pair in part.kwargs]):
        yield problem, known.usage
        return
    constant = all(isinstance(arg, nodes.Const) for arg in (*part.args, *(pair.value for pair in part.kwargs)))
    if known.judge is not None and constant:
        values = [arg.value for arg in part.args]  # type: ignore[attr-defined]  # a Const has a value
        named = {str(pair.key): pair.value.value for pair in part.kwargs}  # type: ignore[attr-defined]
        if problem := known.judge(*values, **named):
            yield problem, known.usage


def _unknown_by_name(part: nodes.Filter) -> Iterator[tuple[str, str]]:
    """`map('upper')` and `select('odd')` name filters and tests in texts."""
    at = 1 if part.name in ("selectattr", "rejectattr") else 0
    if len(part.args) <= at or not isinstance(part.args[at], nodes.Const):
        return
    name = part.args[at].value  # type: ignore[attr-defined]  # a Const has a value
    if part.name == "map" and isinstance(name, str) and name not in FILTERS:
        yield f"unknown filter '{name}'", suggestion(name, FILTERS)
    elif part.name in ("select", "reject", "selectattr", "rejectattr") and isinstance(name, str) and name not in TESTS:
        yield f"unknown test '{name}'", suggestion(name, TESTS)
