"""Rules of action steps: the action exists, its inputs fit its model, its connection is there and of its kind."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.definition.checks.findings import Findings
from app.definition.errors import Path, listing
from app.definition.explain import explain_details
from app.definition.expressions import is_template, templates
from app.definition.nearest import suggestion
from app.definition.steps import ActionStep
from app.json import Json, JsonObject


class ActionInfo(Protocol):
    """What the checks need to know of a catalog entry."""

    @property
    def id(self) -> str: ...
    @property
    def inputs(self) -> type[BaseModel]: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def connection_required(self) -> bool: ...
    @property
    def where(self) -> str: ...
    @property
    def local_names(self) -> Mapping[str, tuple[str, ...]]: ...
    def takes(self, kind: str) -> bool: ...


def check_action(
    step: ActionStep,
    here: Path,
    actions: Mapping[str, ActionInfo],
    connections: Mapping[str, str] | None,
    findings: Findings,
) -> None:
    """All rules of one action step; expressions in it count as any value."""
    action = actions.get(step.action)
    if action is None:
        hint = suggestion(step.action, actions, what="actions")
        findings.add((*here, "action"), f"unknown action '{step.action}'", hint)
        return
    _check_connection(step, here, action, connections, findings)
    check_inputs(step.inputs, (*here, "inputs"), action.inputs, findings)


def _check_connection(
    step: ActionStep,
    here: Path,
    action: ActionInfo,
    connections: Mapping[str, str] | None,
    findings: Findings,
) -> None:
    place = (*here, "connection")
    fitting = [name for name, kind in (connections or {}).items() if action.takes(kind)]
    there = f"connections of this kind: {listing(fitting)}" if fitting else "make one first"
    if action.connection is None:
        if step.connection is not None:
            findings.add(place, f"{action.id} uses no connection", "remove it")
    elif step.connection is None:
        if action.connection_required:
            findings.add(place, f"{action.id} needs a connection of kind {action.connection}", there)
    elif is_template(step.connection):
        findings.add(place, "a connection is named as it stands, not by an expression", there)
    elif connections is not None and step.connection not in connections:
        hint = suggestion(step.connection, connections, what="connections") or there
        findings.add(place, f"there is no connection '{step.connection}'", hint)
    elif connections is not None and not action.takes(connections[step.connection]):
        kind = connections[step.connection]
        findings.add(
            place, f"'{step.connection}' is a connection of kind {kind}, {action.id} needs {action.connection}", there
        )


def check_inputs(inputs: JsonObject, place: Path, model: type[BaseModel], findings: Findings) -> None:
    """Inputs against a model, as far as they can be judged before their expressions have values."""
    details = _failures(inputs, model)
    if not details:
        return
    lasting = _lasting(inputs, model)
    judged = [detail for detail in details if _is_certain(detail, inputs, lasting)]
    for problem_place, message, hint in explain_details(judged, inputs, model):
        findings.add((*place, *problem_place), message, hint)


def _failures(inputs: JsonObject, model: type[BaseModel]) -> list[ErrorDetails]:
    try:
        model.model_validate(inputs, by_alias=True, by_name=False)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _is_certain(detail: ErrorDetails, inputs: JsonObject, lasting: set[tuple[object, str]]) -> bool:
    """Whether an error holds whatever the expressions yield.

    A missing or an unknown key does. A rule over several fields ("one of json, form and body") does when it is broken
    just so with other values in place of the expressions. All else only where no expression stands.
    """
    if detail["type"] in ("missing", "extra_forbidden"):
        return True
    if not _holds_template(_at(inputs, detail["loc"])):
        return True
    return detail["type"] in ("value_error", "assertion_error") and (detail["loc"], detail["msg"]) in lasting


def _lasting(inputs: JsonObject, model: type[BaseModel]) -> set[tuple[object, str]]:
    """Errors of objects as a whole that stay when every expression is a 1."""
    details = _failures(_filled(inputs), model)
    return {(detail["loc"], detail["msg"]) for detail in details if isinstance(_at(inputs, detail["loc"]), dict)}


def _filled(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _filled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part) for part in value]
    return "1" if isinstance(value, str) and is_template(value) else value


def _at(value: Json, loc: tuple[str | int, ...]) -> Json:
    """The deepest part of the value that a location leads to; names of union members in it are passed over."""
    for part in loc:
        there = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if part in there:
            value = value[part]
    return value


def _holds_template(value: Json) -> bool:
    return next(templates(value), None) is not None
