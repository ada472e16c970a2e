"""A draft's steps, edited one by one: add, replace, delete, reorder. Where a step may stand is `placing.py`.

A step is answered as the language writes it, with where it stands beside: `position` among its siblings from 0,
`parent` (id of the step it is in, or None), `branch` (which list of the parent) and `path` (JSON path in the draft).
Each change is one transaction under a lock on the workflow, and follows the same rules as changing the whole draft:
`if_match` names the workflow's revision it was made from, and another one since raises `Stale`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from uuid import UUID

from app.db.models import Workflow
from app.definition import dialects
from app.definition.model import Definition
from app.definition.parse import parse, parse_step
from app.definition.problems import DefinitionInvalid, Problem
from app.definition.steps import Step
from app.definition.tree import walk_list, walk_paths
from app.json import JsonObject
from app.services import audit, editing, placing
from app.services.audit_facts import of_definition
from app.services.errors import Conflict, Invalid
from app.services.platform import Platform
from app.store import workflows


async def list_steps(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> list[JsonObject]:
    """All steps in the order they are written, outer before inner. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
    return _steps(workflow.draft)


async def get_step(platform: Platform, workspace_id: UUID, workflow_id: UUID, step_id: str) -> JsonObject:
    """One step with all inside it. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
    return _step(workflow.draft, step_id)


async def add_step(
    platform: Platform,
    workspace_id: UUID,
    workflow_id: UUID,
    step: JsonObject,
    *,
    position: int | None = None,
    parent: str | None = None,
    branch: str | int | None = None,
    if_match: int | None = None,
) -> JsonObject:
    """Insert a step before the one at `position`, or at the end; at the top or in a list of the step `parent`.

    `branch` is the index or name of a branch, `else`, `steps`, `error_steps` or `compensate`; at the top also
    `finally`. It may be left out where there is only one list besides the last two. A step without id gets one made
    from its action or kind. Raises `Invalid` with all problems, `Conflict` (`workflow_active`, `too_many_steps`,
    `step_exists`) or `NotFound`.
    """
    async with _changing(platform, workspace_id, workflow_id, if_match, "workflow.add_step") as draft:
        reading = draft.read(step)
        step = step if reading is None else reading.document
        step = {**step, "id": step["id"] if "id" in step else placing.new_id(step, draft.ids)}
        fresh = _parsed(step, reading)
        draft.require_free(fresh)
        draft.require_room(len(_inside(fresh)))
        if reading is not None and reading.after and position is None:
            siblings, index = placing.slot(draft.document, placing.path_of(draft.definition, reading.after))
            position = index + 1
        else:
            siblings = placing.list_at(draft.document, placing.list_place(draft.definition, parent, branch))
        siblings.insert(len(siblings) if position is None else position, step)
        draft.edited = fresh.id
    return _step(draft.workflow.draft, fresh.id)


async def replace_step(
    platform: Platform,
    workspace_id: UUID,
    workflow_id: UUID,
    step_id: str,
    step: JsonObject,
    *,
    if_match: int | None = None,
) -> JsonObject:
    """Put another step, with all that is inside it, in its place; its id stays. Raises as `add_step` does."""
    if step.get("id", step_id) != step_id:
        problem = Problem("id", f"the step's id is {step_id!r} and stays", "leave it out, or add a new step instead")
        raise editing.invalid_definition([problem])
    async with _changing(platform, workspace_id, workflow_id, if_match, "workflow.replace_step") as draft:
        draft.edited = step_id
        path = placing.path_of(draft.definition, step_id)
        reading = draft.read(step)
        step = {**(step if reading is None else reading.document), "id": step_id}
        fresh = _parsed(step, reading)
        siblings, index = placing.slot(draft.document, path)
        old = _inside(_parsed(siblings[index]))
        draft.require_free(fresh, besides=old)
        draft.require_room(len(_inside(fresh)) - len(old))
        siblings[index] = step
    return _step(draft.workflow.draft, step_id)


async def delete_step(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, step_id: str, *, if_match: int | None = None
) -> None:
    """Take a step, with all that is inside it, out of the draft. Raises `NotFound` or `Conflict`."""
    async with _changing(platform, workspace_id, workflow_id, if_match, "workflow.delete_step") as draft:
        draft.edited = step_id
        siblings, index = placing.slot(draft.document, placing.path_of(draft.definition, step_id))
        del siblings[index]


async def reorder(
    platform: Platform,
    workspace_id: UUID,
    workflow_id: UUID,
    *,
    order: Sequence[str] | None = None,
    action_positions: Mapping[str, int] | None = None,
    if_match: int | None = None,
) -> list[JsonObject]:
    """Put siblings into a new order; answers with all steps of the draft.

    `order` names all siblings of one list, `action_positions` some of them with their new places; the others keep their
    order around them. Raises `Invalid` (`invalid_order`), `Conflict` or `NotFound`.
    """
    if (order is None) == (action_positions is None):
        raise Invalid("invalid_order", "Give either order or action_positions.")
    async with _changing(platform, workspace_id, workflow_id, if_match, "workflow.reorder_steps") as draft:
        named = list(order if order is not None else action_positions or ())
        if named:
            siblings = placing.common_list(draft.definition, draft.document, named)
            ids = [step["id"] for step in siblings]
            ordered = placing.in_order(ids, named) if order is not None else placing.moved(ids, action_positions or {})
            by_id = {step["id"]: step for step in siblings}
            siblings[:] = [by_id[step_id] for step_id in ordered]
    return _steps(draft.workflow.draft)


class _Draft:
    """A draft under change: `document` is a copy to change, `definition` what it was, `edited` the step in question."""

    edited: str | None = None

    def __init__(self, workflow: Workflow, max_steps: int) -> None:
        self.workflow = workflow
        self.document = deepcopy(workflow.draft)
        self.definition = _definition(workflow.draft)
        self.ids = {step.id for _, step in walk_paths(self.definition)}
        self._count = sum(1 for _ in walk_paths(self.definition))
        self._max_steps = max_steps

    def read(self, step: JsonObject) -> dialects.Reading | None:
        """The step, when it is written in another dialect; it may refer to the steps that are there."""
        return dialects.read_step(step, {each.id: each.key for _, each in walk_paths(self.definition)})

    def require_free(self, step: Step, besides: Sequence[str] = ()) -> None:
        """Refuse ids other steps have; `besides` are those about to go."""
        inside = _inside(step)
        twice = {step_id for step_id in inside if inside.count(step_id) > 1}
        if taken := sorted(((self.ids - set(besides)) & set(inside)) | twice):
            raise Conflict(
                "step_exists", f"The draft has a step {', '.join(map(repr, taken))} already: choose another id."
            )

    def require_room(self, more: int) -> None:
        """Refuse more steps than the workspace allows."""
        if more > 0 and self._count + more > self._max_steps:
            raise Conflict(
                "too_many_steps",
                f"The draft has {self._count} steps and would have {self._count + more}; the workspace allows "
                f"{self._max_steps}: delete some, or raise `max_steps` in the workspace's settings.",
            )


@asynccontextmanager
async def _changing(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, if_match: int | None, action: str
) -> AsyncIterator[_Draft]:
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        editing.require_revision(workflow, if_match)
        rules = await editing.settings(session, workspace_id)
        editing.require_changeable(workflow, rules)
        draft = _Draft(workflow, rules.max_steps)
        yield draft
        before = {"draft": of_definition(workflow.draft)}
        editing.put_draft(workflow, editing.canonical(draft.document))
        after: JsonObject = {"draft": of_definition(workflow.draft)}
        if before != after and draft.edited is not None:
            after["step"] = draft.edited
        await audit.note(session, action, workflow_id, workflow.name, before=before, after=after)


def _definition(document: JsonObject) -> Definition:
    try:
        return parse(document)
    except DefinitionInvalid as error:
        raise editing.invalid_definition(error.problems) from error


def _parsed(step: JsonObject, reading: dialects.Reading | None = None) -> Step:
    with editing.told_where_written(reading):
        try:
            return parse_step(step)
        except DefinitionInvalid as error:
            raise editing.invalid_definition(error.problems) from error


def _inside(step: Step) -> list[str]:
    """Ids of the step and of all steps inside it."""
    return [inner.id for _, inner in walk_list([step], ())]


def _steps(document: JsonObject) -> list[JsonObject]:
    definition = _definition(document)
    return [placing.described(definition, document, path) for path, _ in walk_paths(definition)]


def _step(document: JsonObject, step_id: str) -> JsonObject:
    definition = _definition(document)
    return placing.described(definition, document, placing.path_of(definition, step_id))
