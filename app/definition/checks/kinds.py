"""Rules of single step kinds that need no other step: counts, constants, patterns. One function a kind."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from app.definition import durations, responses
from app.definition.checks.findings import Findings
from app.definition.errors import DurationError, ExpressionError, Path, ResponseError
from app.definition.expressions import is_template
from app.definition.paths import parse_path
from app.definition.steps import (
    AggregateStep,
    ConditionStep,
    DelayStep,
    FilterStep,
    LoopStep,
    ParallelStep,
    RepeatStep,
    RespondStep,
    RunWorkflowStep,
    Step,
    TransformStep,
    WaitForEventStep,
)
from app.definition.syntax import parse
from app.definition.values import described
from app.json import Json

_EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?:\.\*)?", re.ASCII)
RESERVED_NAMES = frozenset(
    {
        "trigger",
        "steps",
        "vars",
        "run",
        "workspace",
        "now",
        "event",
        "loop",
        "error",
        "status",
        "range",
        "approval",
        "secrets",
    }
    | {"true", "false", "none", "and", "or", "not", "in", "is", "if", "else"}
)
"""Names an item variable cannot take, since expressions would read something else."""


def check_kind(step: Step, here: Path, findings: Findings) -> None:
    """What the step's own kind asks for."""
    if rule := _RULES.get(type(step)):
        rule(step, here, findings)


def check_event_type(event: str, place: Path, findings: Findings) -> None:
    """An event's type is words between dots; a wildcard stands for what follows, at the end alone."""
    if len(event) > 200 or not _EVENT_TYPE.fullmatch(event):
        hint = "a wildcard stands alone at the end: crm.deal.*" if "*" in event else "words between dots: crm.deal.won"
        findings.add(place, f"'{event[:80]}' is no event type", hint)


def _condition(step: ConditionStep, here: Path, findings: Findings) -> None:
    for index, branch in enumerate(step.branches):
        _require_steps(branch.steps, (*here, "branches", index, "steps"), "the branch", findings)


def _parallel(step: ParallelStep, here: Path, findings: Findings) -> None:
    seen: set[str] = set()
    for index, branch in enumerate(step.branches):
        _require_steps(branch.steps, (*here, "branches", index, "steps"), f"the branch '{branch.name}'", findings)
        if branch.name in seen:
            place = (*here, "branches", index, "name")
            findings.add(place, f"two branches are called '{branch.name}'", "the output is by branch name")
        seen.add(branch.name)
    if isinstance(step.wait_for, int) and step.wait_for > len(step.branches):
        findings.add(
            (*here, "wait_for"),
            f"waits for {step.wait_for} branches, and there are {len(step.branches)}",
            "at most as many as there are, or all",
        )


def _loop(step: LoopStep, here: Path, findings: Findings) -> None:
    _require_steps(step.steps, (*here, "steps"), "the loop", findings)
    _require_items(step.items, (*here, "items"), findings)
    if step.item_variable in RESERVED_NAMES:
        place = (*here, "item_variable")
        findings.add(place, f"'{step.item_variable}' already means something else", "take another name, such as item")


def _repeat(step: RepeatStep, here: Path, findings: Findings) -> None:
    _require_steps(step.steps, (*here, "steps"), "the repeat", findings)
    if step.until is not None and step.while_ is not None:
        findings.add(
            here,
            "the repeat has until and while",
            "give exactly one: until is looked at after each iteration, while before it",
        )
    elif step.until is None and step.while_ is None:
        hint = "give until, which is looked at after each iteration, or while, which is looked at before it"
        findings.add(here, "the repeat says not when it is done", hint)


def _filter(step: FilterStep, here: Path, findings: Findings) -> None:
    _require_items(step.items, (*here, "items"), findings)


def _aggregate(step: AggregateStep, here: Path, findings: Findings) -> None:
    _require_items(step.items, (*here, "items"), findings)
    if step.field is None:
        if step.operation == "group_by":
            findings.add((*here, "field"), "group_by needs a field", "the path inside each item that makes the groups")
        return
    try:
        parse_path(step.field)
    except ExpressionError as error:
        findings.add((*here, "field"), error.message, error.hint)


def _transform(step: TransformStep, here: Path, findings: Findings) -> None:
    if not step.mapping:
        findings.add((*here, "mapping"), "the mapping is empty", "give the fields of the output")


def _delay(step: DelayStep, here: Path, findings: Findings) -> None:
    given = [name for name in ("duration", "until", "at") if getattr(step, name) is not None]
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "says not how long"
        findings.add(here, f"the delay {said}", "give exactly one of duration, until and at")
    if step.until is not None:
        _check_moment(step.until, (*here, "until"), findings)
    if step.at is not None:
        _try(lambda: durations.zone(step.at.timezone if step.at else ""), (*here, "at", "timezone"), findings)


def _wait_for_event(step: WaitForEventStep, here: Path, findings: Findings) -> None:
    check_event_type(step.event, (*here, "event"), findings)
    if step.since not in ("wait_start", "run_start"):
        _check_moment(step.since, (*here, "since"), findings, also="wait_start, run_start or ")
    if step.timeout is None and step.on_timeout == "fail":
        findings.add((*here, "on_timeout"), "on_timeout is fail, and there is no timeout", "add a timeout")


def _run_workflow(step: RunWorkflowStep, here: Path, findings: Findings) -> None:
    if step.timeout is not None and not step.wait:
        findings.add(
            (*here, "timeout"), "a run that is not waited for has no timeout here", "set settings.timeout there"
        )


def _respond(step: RespondStep, here: Path, findings: Findings) -> None:
    """What is written out; expressions are judged when they have values."""

    def judge(place: tuple[str, ...], value: Json, rule: Callable[[], object]) -> None:
        if not _has_templates(value):
            _try(rule, (*here, *place), findings)

    judge(("status",), step.status, lambda: responses.check_status(step.status))
    for name, value in step.headers.items():
        judge(("headers",), None, partial(responses.check_name, name))
        judge(("headers", name), value, partial(responses.check_header, name, value))
    if isinstance(step.status, int) and step.status in responses.WITHOUT_BODY and step.body is not None:
        findings.add((*here, "body"), f"an answer of status {step.status} has no body", "leave it out")


def _has_templates(value: Json) -> bool:
    return isinstance(value, str) and is_template(value)


def _check_moment(text: str, place: Path, findings: Findings, also: str = "") -> None:
    if is_template(text):
        return
    try:
        durations.parse_moment(text)
    except DurationError as error:
        findings.add(place, error.message, f"{also}{error.hint}")


def _try(read: Callable[[], object], place: Path, findings: Findings) -> None:
    try:
        read()
    except (DurationError, ResponseError) as error:
        findings.add(place, error.message, error.hint)


def _require_steps(steps: list[Step], place: Path, what: str, findings: Findings) -> None:
    if not steps:
        findings.add(place, f"{what} is empty", "add a step, or remove it")


def _require_items(items: Json, place: Path, findings: Findings) -> None:
    """Items that are no list whatever the run's data."""
    hint = "write a list, or exactly one {{ expression }} that yields one"
    if isinstance(items, str):
        if not is_template(items):
            findings.add(place, "the items are a text, not a list", hint)
        elif _renders_text(items):
            findings.add(place, "the items are text with expressions in it, not a list", hint)
    elif not isinstance(items, list):
        findings.add(place, f"the items are {described(items)}, not a list", hint)


def _renders_text(template: str) -> bool:
    try:
        return parse(template).single is None
    except ExpressionError:
        return False


_RULES: dict[type[Step], Callable[[Any, Path, Findings], None]] = {  # type: ignore[type-arg,unused-ignore]
    ConditionStep: _condition,
    ParallelStep: _parallel,
    LoopStep: _loop,
    RepeatStep: _repeat,
    FilterStep: _filter,
    AggregateStep: _aggregate,
    TransformStep: _transform,
    DelayStep: _delay,
    WaitForEventStep: _wait_for_event,
    RunWorkflowStep: _run_workflow,
    RespondStep: _respond,
}
