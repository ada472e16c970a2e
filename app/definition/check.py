"""What keeps a well-shaped definition from being published, all of it at once. The rules stand in `checks/`."""

from collections.abc import Collection, Mapping
from contextlib import suppress

from app.definition.checks.actions import ActionInfo, check_action
from app.definition.checks.answering import check_answering
from app.definition.checks.approvals import check_approval
from app.definition.checks.compensation import check_compensation
from app.definition.checks.event_types import check_event_types
from app.definition.checks.findings import Findings
from app.definition.checks.flow import Flow, Visit
from app.definition.checks.kinds import check_kind
from app.definition.checks.limits import check_limits
from app.definition.checks.names import Names, check_condition, check_match, check_value
from app.definition.checks.secrets import check_secrets
from app.definition.checks.triggers import check_triggers
from app.definition.checks.triggers.message import check_messages
from app.definition.errors import ExpressionError, Path
from app.definition.limits import MAX_DEFINITION_TOKENS
from app.definition.model import Definition
from app.definition.parse import dump
from app.definition.problems import Problem
from app.definition.references import templates
from app.definition.steps import ActionStep, ApprovalStep, Step
from app.definition.syntax import parse
from app.definition.tree import nesting, walk_paths

__all__ = ["ActionInfo", "check"]


def check(
    definition: Definition,
    *,
    actions: Mapping[str, ActionInfo],
    connections: Mapping[str, str] | None = None,
    events: Collection[str] = (),
    variables: Mapping[str, bool] | None = None,
    max_steps: int = 50,
    max_depth: int = 16,
) -> list[Problem]:
    """Everything that keeps the definition from being published, ordered by place; empty when nothing does.

    `actions` holds the catalog by id and alias, `connections` the workspace's connections with their kinds (None = not
    known here, so not judged), `variables` its variables and whether each is secret (None likewise), `events` the types
    of event that are known: one that is nearly one of them is warned of. `max_steps` counts the whole tree, `max_depth`
    lists of steps inside each other.
    """
    findings = Findings()
    if _check_size(definition, findings, max_steps, max_depth) and _check_expressions(definition, findings):
        flow = Flow(definition, findings)
        names = Names.of(definition, flow.steps, variables)
        check_triggers(definition, findings)
        check_event_types(definition, events, findings)
        check_messages(definition, connections, findings)
        check_compensation(definition, findings)
        check_answering(definition, findings)
        check_secrets(definition, actions, variables, findings)
        _check_head(definition, names, findings)
        check_limits(definition, names, findings)
        for visit in flow.visits:
            _check_step(visit, names, actions, connections, findings)
        check_value(definition.output, ("output",), flow.after, names, findings)
    return findings.problems


def _check_size(definition: Definition, findings: Findings, max_steps: int, max_depth: int) -> bool:
    """Whether the tree is small enough to be judged further."""
    places = [place for place, _step in walk_paths(definition)]
    if not definition.steps:
        findings.add(("steps",), "the workflow has no steps", "add at least one")
    if len(places) > max_steps:
        findings.add(("steps",), f"the workflow has {len(places)} steps, {max_steps} are allowed", _SPLIT)
    deepest = max(places, key=nesting, default=())
    if nesting(deepest) > max_depth:
        findings.add(deepest, f"steps are nested {nesting(deepest)} levels deep, {max_depth} are allowed", _SPLIT)
    return len(places) <= max(max_steps, 1_000)


def _check_expressions(definition: Definition, findings: Findings) -> bool:
    """Whether all expressions together can be read in one workflow task. What cannot be read at all is said later."""
    tokens = 0
    for _place, text in templates(dump(definition)):
        with suppress(ExpressionError):
            tokens += parse(text).tokens
        if tokens > MAX_DEFINITION_TOKENS:
            message = f"the expressions of the workflow have more than {MAX_DEFINITION_TOKENS:,} parts together"
            findings.add((), message, _SPLIT)
            return False
    return True


_SPLIT = "split it into several workflows that hand over with events"


def _check_head(definition: Definition, names: Names, findings: Findings) -> None:
    """Settings and first values of variables: evaluated when the run begins, before any step or variable is there."""
    start, names = Flow.start(), names.without("vars")
    check_value(definition.settings.timeout, ("settings", "timeout"), start, names, findings)
    for name, value in definition.variables.items():
        check_value(value, ("variables", name), start, names, findings)


def _check_step(
    visit: Visit,
    names: Names,
    actions: Mapping[str, ActionInfo],
    connections: Mapping[str, str] | None,
    findings: Findings,
) -> None:
    step, here = visit.step, visit.place
    check_condition(step.when, (*here, "when"), visit.scope, names, findings)
    _check_policies(step, here, visit, names, findings)
    check_kind(step, here, findings)
    if isinstance(step, ApprovalStep):
        check_approval(step, here, findings)
    if isinstance(step, ActionStep):
        check_action(step, here, actions, connections, findings)
        _check_inputs(step, visit, names, actions, findings)
        return
    for field, value, own in step.evaluated():
        scope = visit.fields.get(field, visit.scope.with_names(own))
        judge = _JUDGES.get((step.type, str(field[-1])), check_value)
        judge(value, (*here, *field), scope, names, findings)


_JUDGES = {
    ("condition", "when"): check_condition,
    ("filter", "where"): check_condition,
    ("repeat", "until"): check_condition,
    ("repeat", "while"): check_condition,
    ("wait_for_event", "match"): check_match,
}
"""Fields that are conditions; all others are values."""


def _check_inputs(
    step: ActionStep, visit: Visit, names: Names, actions: Mapping[str, ActionInfo], findings: Findings
) -> None:
    """Expressions in an action's inputs, some of which may use names of their own."""
    action = actions.get(step.action)
    for name, value in step.inputs.items():
        own = _local_names(action.local_names.get(name, ()), step) if action else ()
        check_value(value, (*visit.place, "inputs", name), visit.scope.with_names(own), names, findings)


def _local_names(named: tuple[str, ...], step: ActionStep) -> tuple[str, ...]:
    """Names an input's expressions may use besides the run's; `*variables` stands for the keys of that input."""
    found: list[str] = []
    for name in named:
        keys = step.inputs.get(name[1:]) if name.startswith("*") else None
        found.extend(keys if isinstance(keys, dict) else () if name.startswith("*") else (name,))
    return tuple(found)


def _check_policies(step: Step, here: Path, visit: Visit, names: Names, findings: Findings) -> None:
    check_value(step.timeout, (*here, "timeout"), visit.scope, names, findings)
    if step.retry is not None:
        for field in ("initial_interval", "max_interval"):
            check_value(getattr(step.retry, field), (*here, "retry", field), visit.scope, names, findings)
    if step.on_error == "branch" and not step.error_steps:
        findings.add((*here, "error_steps"), "on_error is branch, and there are no error_steps", "add them")
    if step.error_steps and step.on_error != "branch":
        findings.add((*here, "on_error"), f"error_steps never run: on_error is {step.on_error}", "set on_error: branch")
