"""Queries about variables kept across a workflow's runs."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import WorkflowVariable
from app.json import JsonObject


async def keep(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, values: JsonObject) -> None:
    """Set these variables; the others stay."""
    # In the order of their names, so that two runs that keep the same ones never wait for each other in a circle.
    rows = [
        {"workspace_id": workspace_id, "workflow_id": workflow_id, "name": name, "value": values[name]}
        for name in sorted(values)
    ]
    if not rows:
        return
    statement = insert(WorkflowVariable)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[WorkflowVariable.workspace_id, WorkflowVariable.workflow_id, WorkflowVariable.name],
            set_={"value": statement.excluded.value, "updated_at": func.now()},
        ),
        rows,
    )


async def kept(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> JsonObject:
    """All variables kept for the workflow."""
    found = await session.execute(
        select(WorkflowVariable.name, WorkflowVariable.value).where(
            WorkflowVariable.workspace_id == workspace_id, WorkflowVariable.workflow_id == workflow_id
        )
    )
    return {row.name: row.value for row in found}
