"""Redriving for tests: in one workspace, with what the provider was asked."""

from collections.abc import Iterable

from app.db.models import Run
from app.json import JsonObject
from app.services import redriving, workflows
from app.store import runs as run_store
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

NO = Answer(status=402)
YES = Answer(json={"ok": True})


class Redrives:
    """Redriving in one workspace, and what the provider was asked."""

    def __init__(self, engine: Engine, stub: HttpStub) -> None:
        self.engine, self.stub = engine, stub

    def steps(self, ids: str) -> list[JsonObject]:
        return [http(id, f"{self.stub.url}/{id}") for id in ids]

    def counts(self, ids: Iterable[str]) -> list[int]:
        """How often the provider was asked, by step."""
        return [len(self.stub.asked(f"/{id}")) for id in ids]

    def keys(self, id: str) -> list[str]:
        return [asked.headers["Idempotency-Key"] for asked in self.stub.asked(f"/{id}")]

    async def asked(self, id: str) -> None:
        """Wait until the step's call is under way."""
        await eventually(lambda: self.stub.asked(f"/{id}"), what=f"{id} is under way")

    async def shown(self, run: Run, path: str) -> bool:
        return path in await self.engine.step_rows(run)

    async def again(self, run: Run, **options) -> Run:
        return await redriving.redrive(self.engine.platform, self.engine.workspace_id, run.id, **options)

    async def to_the_end(self, run: Run, **options):
        return await self.engine.end(await self.again(run, **options))

    async def publish(self, run: Run, definition: JsonObject) -> None:
        """Another version of the run's workflow."""
        platform, workspace_id = self.engine.platform, self.engine.workspace_id
        await workflows.pause(platform, workspace_id, run.workflow_id)
        await workflows.update(platform, workspace_id, run.workflow_id, {"definition": definition})
        await workflows.publish(platform, workspace_id, run.workflow_id, published_by="test")

    async def terminate(self, run: Run) -> Run:
        """End it from outside, and note that as upkeep does: it could write nothing itself."""
        await (await self.engine.handle(run)).terminate("by hand")
        error = {"type": "terminated", "message": "by hand", "step_id": None, "path": None}
        async with self.engine.platform.database.transaction(self.engine.workspace_id) as session:
            await run_store.end(session, self.engine.workspace_id, run.id, status="failed", error=error)
        return await self.engine.row(run)
