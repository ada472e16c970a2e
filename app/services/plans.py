"""Holding a workspace to its plan: each limit asked for in the transaction that would go beyond it.

What plans allow is `plan_table`'s subject. Whoever adds what a plan limits asks here first; a workspace without that
limit pays one look at its row and waits for nobody.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workflow, Workspace
from app.definition.model import Definition
from app.definition.problems import Problem
from app.definition.triggers import ScheduleTrigger
from app.json import JsonObject
from app.rates import parsed
from app.services import audit
from app.services.actors import NO_WORKSPACE
from app.services.errors import Forbidden, Invalid, NotFound, Unavailable
from app.services.plan_table import PLANS, Plan, beyond
from app.services.platform import Platform
from app.services.validation import validated
from app.settings import MAX_RETENTION_DAYS
from app.store import usage as store
from app.store import workspaces

CODE = "plan_limit_reached"
LARGER = "or have the platform's administrator give the workspace a larger plan"

Count = int | None


class Overrides(BaseModel):
    """What a workspace may have otherwise than its plan says; null there is no limit, what is left out is the
    plan's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    workflows: Count = Field(None, ge=0)
    executions: Count = Field(None, ge=0)
    steps: Count = Field(None, ge=1)
    delay_seconds: Count = Field(None, ge=0)
    connections: Count = Field(None, ge=0)
    history_days: Count = Field(None, ge=1, le=MAX_RETENTION_DAYS)
    webhooks: Count = Field(None, ge=0)
    schedules: Count = Field(None, ge=0)
    branches: bool = True
    parallel: bool = True
    rate_limit: str | None = None

    @field_validator("rate_limit")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            parsed(value)
        return value


def plan_of(workspace: Workspace) -> Plan:
    """What the workspace is allowed. A plan that this release does not know limits nothing."""
    known = PLANS.get(workspace.plan) or replace(PLANS["own"], name=workspace.plan)
    changes: dict[str, Any] = {
        name: value for name, value in workspace.plan_overrides.items() if name in Overrides.model_fields
    }
    return replace(known, **changes)


def checked(plan: str | None, overrides: JsonObject | None) -> JsonObject | None:
    """The overrides as they are kept, both found to be ones that a workspace can be given; None is nothing to check.

    Raises `Invalid` (`unknown_plan`, `invalid_overrides`).
    """
    if plan is not None and plan not in PLANS:
        known = ", ".join(PLANS)
        problem = Problem("plan", f"there is no plan {plan[:100]!r}", f"write one of {known}")
        raise Invalid("unknown_plan", f"plan: there is no plan {plan[:100]!r}; there are {known}.", [problem])
    if overrides is None:
        return None
    about = {"code": "invalid_overrides", "subject": "What the workspace has beside its plan", "root": "plan_overrides"}
    return validated(Overrides, overrides, **about).model_dump(exclude_unset=True)


def give(workspace: Workspace, plan: str | None, overrides: JsonObject | None) -> None:
    """Set what is given, which is `checked`, and what follows from it."""
    workspace.plan = plan or workspace.plan
    workspace.plan_overrides = workspace.plan_overrides if overrides is None else overrides
    workspace.history_days = plan_of(workspace).history_days


async def set_plan(
    platform: Platform, workspace_id: UUID, plan: str | None, overrides: JsonObject | None = None
) -> Workspace:
    """Give the workspace a plan, by what the platform's administrator asks for, and what is otherwise for it alone;
    None leaves one as it is. What is there already stays, also beyond the plan. Here it counts at once, in other
    processes for what is asked for from then on, rates within seconds (`platform.plans`).

    Raises `Invalid` (`unknown_plan`, `invalid_overrides`) and `NotFound`.
    """
    overrides = checked(plan, overrides)
    async with platform.database.transaction(workspace_id) as session:
        workspace = await workspaces.find(session, workspace_id, lock=True)
        if workspace is None:
            raise NotFound("workspace_not_found", "There is no such workspace.")
        before = facts(workspace)
        give(workspace, plan, overrides)
        after = facts(workspace)
        await audit.note(session, "workspace.update", workspace_id, workspace.name, before=before, after=after)
    platform.plans.forget(workspace_id)
    about = (NO_WORKSPACE, "workspace.update", workspace_id, workspace.name)
    await audit.note_done(platform.database, *about, before=before, after=after)
    return workspace


def facts(workspace: Workspace) -> JsonObject:
    """What logs say of a workspace's plan."""
    return {"plan": workspace.plan, "plan_overrides": workspace.plan_overrides}


async def read(session: AsyncSession, workspace_id: UUID) -> Plan:
    """The workspace's plan; one that is not there has none to go beyond."""
    workspace = await workspaces.find(session, workspace_id)
    return PLANS["own"] if workspace is None else plan_of(workspace)


async def lately(platform: Platform, workspace_id: UUID) -> Plan:
    """The plan as it was some seconds ago at most, for what every request asks; nothing is limited while the database
    is away."""
    known = platform.plans.get(workspace_id)
    if known is None:
        forgotten = platform.plans.forgotten
        try:
            async with platform.database.transaction(workspace_id) as session:
                known = await read(session, workspace_id)
        except Unavailable:
            return PLANS["own"]
        platform.plans.put(workspace_id, known, forgotten=forgotten)
    return known


async def hold(session: AsyncSession, workspace_id: UUID) -> Plan:
    """The plan of a workspace whose definitions are about to change; where it limits their number nobody else changes
    it meanwhile."""
    plan = await read(session, workspace_id)
    if plan.workflows is not None or plan.schedules is not None:
        await store.lock(session, workspace_id)
    return plan


async def allow_workflow(session: AsyncSession, workspace_id: UUID) -> None:
    """Before a workflow is added. Raises `Forbidden` (`plan_limit_reached`)."""
    plan = await hold(session, workspace_id)
    if plan.workflows is not None:
        used = await store.workflows(session, workspace_id)
        _require(plan, "workflows", used, "delete or archive one")


async def allow_connection(session: AsyncSession, workspace_id: UUID) -> None:
    """Before a connection is added. Raises `Forbidden` (`plan_limit_reached`)."""
    plan = await read(session, workspace_id)
    if plan.connections is not None:
        await store.lock(session, workspace_id)
        used = await store.connections(session, workspace_id)
        _require(plan, "connections", used, "delete one")


async def allow_webhook(session: AsyncSession, workspace_id: UUID) -> None:
    """Before a webhook is added. Raises `Forbidden` (`plan_limit_reached`)."""
    plan = await read(session, workspace_id)
    if plan.webhooks is not None:
        await store.lock(session, workspace_id)
        _require(plan, "webhooks", await store.webhooks(session, workspace_id), "delete one")


async def allow_run(session: AsyncSession, workspace_id: UUID) -> None:
    """Before a run is inserted, as late as can be: all starts of the workspace wait for its end. Raises `Forbidden`
    (`plan_limit_reached`)."""
    plan = await read(session, workspace_id)
    if plan.executions is not None:
        await store.lock(session, workspace_id)
        month = store.month_of(await store.now(session))
        used = await store.executions(session, workspace_id, month)
        _require(plan, "executions", used, "wait for the next month (UTC)")


def allow_definition(plan: Plan, definition: Definition) -> None:
    """Before a definition is published or runs. Raises `Forbidden` (`plan_limit_reached`) with every place."""
    found = beyond(definition, plan)
    if found:
        first, more = found[0], len(found) - 1
        others = f" ({more} more in `errors`)" if more else ""
        detail = f"The definition goes beyond the workspace's plan: {first.path}: {first.message}{others}. "
        raise Forbidden(CODE, f"{detail}Change that, {LARGER}.", found)


async def allow_active(session: AsyncSession, plan: Plan, workflow: Workflow, definition: Definition) -> None:
    """Before the workflow's new runs take this definition. `plan` is held. Raises `Forbidden`
    (`plan_limit_reached`)."""
    allow_definition(plan, definition)
    if plan.workflows is not None:
        used = await store.workflows(session, workflow.workspace_id, beside=workflow.id)
        _require(plan, "workflows", used, "delete or archive another one")
    wanted = sum(isinstance(trigger, ScheduleTrigger) for trigger in definition.all_triggers)
    if plan.schedules is not None and wanted:
        used = await store.schedules(session, workflow.workspace_id, beside=workflow.id)
        way = "take schedules out of this workflow, or pause one that has some"
        _require(plan, "schedules", used, way, wanted=wanted)


def _require(plan: Plan, limit: str, used: int, way: str, *, wanted: int = 1) -> None:
    allowed = getattr(plan, limit)
    if used + wanted <= allowed:
        return
    what = "executions a month" if limit == "executions" else limit
    asked = "" if wanted == 1 else f" and {wanted} more were asked for"
    problem = Problem(f"plan.{limit}", f"{used} of {allowed} are used{asked} (plan {plan.name})", f"{way}, {LARGER}")
    detail = f"The plan {plan.name} allows {allowed:,} {what}, and {used:,} are used{asked}: {way}, {LARGER}."
    raise Forbidden(CODE, detail, [problem])
