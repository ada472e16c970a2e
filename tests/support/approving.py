"""What tests do about approvals: wait until one is open, and answer it as through the API."""

from typing import Any

from app.db.models import Run
from app.json import JsonObject
from app.services import approvals
from app.services.approvals import Answer, Asked
from tests.support.engine import Engine
from tests.support.waiting import eventually


def ask(id: str = "ask", **more: Any) -> JsonObject:
    """An `approval` step."""
    return {"id": id, "type": "approval", "title": "Ship it?", **more}


async def asked(engine: Engine, run: Run, path: str = "ask") -> Asked:
    """The approval at this path, once the run can be answered there."""

    async def there() -> Asked | None:
        page = await approvals.list_(engine.platform, engine.workspace_id, status="open", run_id=run.id, limit=200)
        return next((one for one in page.items if one.approval.path == path), None)

    found = await eventually(there, what=f"{path} is asked")
    assert found is not None
    return found


async def approve(engine: Engine, run: Run, path: str = "ask", decision: Any = "approve", **more: Any) -> None:
    """Answer the approval at this path, once it is open."""
    await asked(engine, run, path)
    answer = Answer(**{"decision": decision, "by": "Ada", **more})
    await approvals.approve(engine.platform, engine.workspace_id, run.id, path=path, answer=answer, approver=None)
