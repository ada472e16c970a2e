"""References in expressions and conditions: whether each name exists, and whether the step it means can have run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.secrets import ONLY_IN_INPUTS, ONLY_IN_INPUTS_HINT, check_workspace_variable
from app.definition.condition_operators import WITHOUT_VALUE
from app.definition.condition_shapes import comparisons, group_of, is_comparison
from app.definition.conditions import EVENT_NAMES
from app.definition.errors import ExpressionError, Path
from app.definition.expressions import FUNCTIONS, Reference, references, syntax_problems
from app.definition.model import Definition
from app.definition.nearest import suggestion
from app.definition.paths import format_path, parse_path
from app.definition.steps import SetVariableStep, Step
from app.definition.triggers import WITH_EVENT
from app.json import Json

RUN_FIELDS = ("id", "workflow_id", "workflow_name", "version", "started_at")
WORKSPACE_FIELDS = ("id", "name")
STEP_FIELDS = ("output", "status", "error", "attempts", "started_at", "finished_at")
WAIT_FIELDS = ("event", "timed_out")
"""What an event wait has besides."""
CHILD_FIELDS = ("run_id",)
"""What a step that starts a run has besides."""

_ALWAYS = ("trigger", "steps", "vars", "run", "workspace", "secrets", "now")


@dataclass(frozen=True)
class Names:
    """What there is to refer to: all steps with their places, names every run has, variables. Without any: nothing."""

    steps: list[tuple[Step, Path]] = field(default_factory=list)
    roots: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    workspace: tuple[str, ...] = (*WORKSPACE_FIELDS, "vars")
    workspace_variables: Mapping[str, bool] | None = None
    """The workspace's variables, and whether each is secret; None = not known here, so not judged."""

    @classmethod
    def of(
        cls,
        definition: Definition,
        steps: list[tuple[Step, Path]],
        workspace_variables: Mapping[str, bool] | None = None,
    ) -> "Names":
        """The names of a definition's runs."""
        triggered = any(isinstance(trigger, WITH_EVENT) for trigger in definition.all_triggers)
        variables = list(definition.variables)
        for step, _place in steps:
            if isinstance(step, SetVariableStep):
                variables.extend(step.variables)
        roots = (*_ALWAYS, "event") if triggered else _ALWAYS
        return cls(steps, roots, tuple(variables), workspace_variables=workspace_variables)

    def without(self, root: str) -> "Names":
        """The same without one name."""
        return replace(self, roots=tuple(name for name in self.roots if name != root))

    def before_a_run(self) -> "Names":
        """Those known when a run is asked for: no steps, no variables."""
        return replace(self.without("vars").without("steps"), workspace=WORKSPACE_FIELDS)

    def holders(self, key: str) -> list[tuple[Step, Path]]:
        """Steps with this output key."""
        return [(step, place) for step, place in self.steps if step.key == key]


def check_value(value: Json, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    """The templates of a value at any depth."""
    for where, message, hint in syntax_problems(value):
        findings.add((*place, *where), message, hint)
    for reference in references(value):
        _check_reference(reference, (*place, *reference.place), scope, names, findings)


def check_condition(condition: Json, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    """Expressions of a condition, and its fields, which are paths in the context."""
    for where, part in _parts(condition, place):
        if isinstance(part, str):
            check_value(part, where, scope, names, findings)
            continue
        check_value(part.get("value"), (*where, "value"), scope, names, findings)
        if (path := _path(part["field"])) is not None:
            # A field that is missing counts as null, but one of a step that cannot have run is a mistake.
            asks = part.get("operator") in WITHOUT_VALUE
            if path[0] == "secrets" and "secrets" not in scope.names:
                findings.add((*where, "field"), ONLY_IN_INPUTS, ONLY_IN_INPUTS_HINT)
            reference = Reference(str(path[0]), path[1:], guarded=asks)
            _check_reference(reference, (*where, "field"), scope, names, findings)


def check_match(match: Json, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    """A wait's condition: its fields are the event's, its expressions may also use the run's names."""
    inner = scope.with_names(EVENT_NAMES)
    for where, part in _parts(match, place):
        if isinstance(part, str):
            check_value(part, where, inner, names, findings)
            continue
        short = part.pop("at", None)
        check_value(part.get("value"), short or (*where, "value"), inner, names, findings)
        path = _path(part["field"])
        if path is not None and path[0] in (*names.roots, *scope.names) and path[0] not in EVENT_NAMES:
            findings.add(
                where if short else (*where, "field"),
                f"the field '{part['field']}' is looked up in the event, not in the run",
                "name the event's part as the field, and the run's value as {{ ... }}; "
                f"data.{part['field']} if the event does have it",
            )


def _parts(condition: Json, place: Path) -> Iterator[tuple[Path, Json]]:
    """Expressions and comparisons of a condition, each with its place."""
    if isinstance(condition, str):
        yield place, condition
    elif isinstance(condition, dict):
        group = group_of(condition)
        if group == "not":
            yield from _parts(condition["not"], (*place, "not"))
        elif group:
            for index, member in enumerate(condition[group]):
                yield from _parts(member, (*place, group, index))
        elif is_comparison(condition):
            yield place, dict(condition)
        else:
            for comparison in comparisons(condition):
                where = (*place, comparison["field"])
                yield where, {**comparison, "at": where}


def _path(field: str) -> Path | None:
    try:
        return parse_path(field)
    except ExpressionError:
        return None


def _check_reference(reference: Reference, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    root, path = reference.root, reference.path
    if root in scope.names:
        if members := scope.names[root]:
            _check_member(root, members, path, place, findings)
    elif root not in names.roots:
        _unknown_root(reference, place, scope, names, findings)
    elif root == "steps":
        _check_step_reference(reference, place, scope, names, findings)
    elif root == "vars":
        _check_member("vars", names.variables, path, place, findings)
    elif root == "run":
        _check_member("run", RUN_FIELDS, path, place, findings)
    elif root == "workspace":
        _check_member("workspace", names.workspace, path, place, findings)
        check_workspace_variable(path, place, names.workspace_variables, findings)


def _check_member(root: str, known: tuple[str, ...], path: Path, place: Path, findings: Findings) -> None:
    if not path or path[0] in known:
        return
    if root == "vars":
        hint = suggestion(str(path[0]), known, what="variables") or "declare it under variables"
        findings.add(place, f"there is no variable '{path[0]}'", hint)
    else:
        findings.add(place, f"{root} has no '{path[0]}'", suggestion(str(path[0]), known, what="it has"))


def _unknown_root(reference: Reference, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    root = reference.root
    special = {
        "event": "no trigger of this workflow is an event",
        "loop": "it exists inside loops and repeats",
        "item": "it exists inside loops and filters",
        "null": "write none",
        "approval": "it exists in the notify steps of an approval",
        "error": "it exists in error_steps, compensate and finally",
        "status": "it exists in compensate and finally: the status of the run",
        "vars": "variables, triggers and settings cannot refer to variables",
    }
    known = [*names.roots, *sorted(scope.names)]
    if root in FUNCTIONS:
        hint = f"it is a function: {root}(...)"
    elif root in special and root not in known:
        hint = special[root]
    elif any(step.key == root for step, _place in names.steps):
        hint = f"write steps.{root}"
    elif root in names.variables:
        hint = f"write vars.{root}"
    else:
        hint = suggestion(root, known, what="there are")
    findings.add(place, f"unknown name '{root}'", hint)


def _check_step_reference(reference: Reference, place: Path, scope: Scope, names: Names, findings: Findings) -> None:
    if not reference.path:
        return
    key = reference.path[0]
    holders = names.holders(str(key))
    if not holders:
        findings.add(place, f"there is no step '{key}'", _step_hint(str(key), names))
        return
    _check_step_field(reference, holders, place, findings)
    if key in scope.visible or reference.guarded:
        return
    hint = _GUARD if scope.place else "use trigger or run"
    findings.add(place, f"step '{key}' cannot have run by then: {_why(scope.place, holders, names)}", hint)


_GUARD = "move the step, or use `| default(...)` when it may be missing"


def _step_hint(key: str, names: Names) -> str:
    for step, _place in names.steps:
        if step.id == key:
            return f"its output_key is '{step.key}': write steps.{step.key}"
    return suggestion(key, [step.key for step, _place in names.steps], what="steps")


def _check_step_field(reference: Reference, holders: list[tuple[Step, Path]], place: Path, findings: Findings) -> None:
    """`steps.x.outptu` is never there, whatever the step gives."""
    if len(reference.path) < 2:
        return
    known: tuple[str, ...] = STEP_FIELDS
    if any(step.type == "wait_for_event" for step, _place in holders):
        known = (*known, *WAIT_FIELDS)
    if any(step.type == "run_workflow" for step, _place in holders):
        known = (*known, *CHILD_FIELDS)
    if reference.path[1] not in known:
        key, field = reference.path[0], reference.path[1]
        hint = suggestion(str(field), known, what="it has")
        near = hint if hint.startswith("did") else f"what the step gave is under output: steps.{key}.output.{field}"
        findings.add(place, f"steps.{key} has no '{field}'", near)


def _why(here: Path, holders: list[tuple[Step, Path]], names: Names) -> str:
    """How the place of a step keeps it from having run when the one at `here` is reached."""
    if not here:
        return "no step has, when this is evaluated"
    there = holders[0][1]
    kinds: Mapping[Path, str] = {place: step.type for step, place in names.steps}
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))
    if shared == len(there):
        return "it is this step" if len(here) == len(there) else "this is inside it, so it is not over"
    if enclosed := _enclosed(here, there, kinds):
        return enclosed
    if shared == len(here):
        return "it is inside this step"
    around = next((kinds[there[:length]] for length in range(shared, 0, -1) if there[:length] in kinds), "")
    if {there[shared], here[shared]} == {"branches", "else"} or (shared and there[shared - 1] == "branches"):
        where = "at the same time, in another branch" if around == "parallel" else "instead, in another branch"
        return f"it runs {where} ({format_path(there)})"
    return f"it comes later ({format_path(there)})"


def _enclosed(here: Path, there: Path, kinds: Mapping[Path, str]) -> str:
    """Which iteration or compensation the place `there` is inside of and `here` is not; empty for none."""
    for length in range(len(there)):
        inside, around = there[: length + 1], format_path(there[:length])
        if here[: length + 1] == inside:
            continue
        if inside[-1] == "compensate":
            return f"it runs only when {around} is undone"
        if kinds.get(there[:length]) == "loop" and inside[-1] == "steps":
            return f"it is inside the loop {around}; `collect` gets values out"
        if kinds.get(there[:length]) == "repeat" and inside[-1] == "steps":
            return f"it is inside the repeat {around}, whose output is that of its last step"
    return ""
