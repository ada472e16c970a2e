"""What publishing says of steps that run other workflows: whether those are there, and whether they lead back here.

Names that are expressions are known when the step is reached and not before; those are bounded by how deep runs nest.
"""

from collections import deque
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workflow
from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.problems import Problem
from app.services.published import published, runs_by_name
from app.store import versions, workflows

MOST_FOLLOWED = 200
"""Workflows looked into for one that is published; a circle beyond them ends by how deep runs nest."""


async def check_runs(session: AsyncSession, workspace_id: UUID, definition: Definition, own: Workflow) -> list[Problem]:
    """Problems of the `run_workflow` steps in a definition of the workflow `own`: unknown workflows and circles are
    errors, one that takes no runs now is a warning."""
    graph, findings = _Graph(session, workspace_id, own), Findings()
    for place, name in runs_by_name(definition):
        here = (*place, "workflow")
        target = await graph.named(name)
        if target is None:
            findings.add(here, f"there is no workflow '{name[:80]}'", "write the slug or id of one; make it first")
        elif not await _leads_back(graph, target, here, findings) and target.status != "active":
            findings.add(
                here, f"the workflow '{target.slug}' is {target.status}: the step fails as long as it is",
                "publish or activate it", severity="warning",
            )  # fmt: skip
    return findings.problems


async def circles(session: AsyncSession, workspace_id: UUID, definition: Definition, own: Workflow) -> list[Problem]:
    """The steps by which the workflow `own` would run itself, once its new runs take this definition. Versions of
    others that wait to be activated do not count: their activation is refused when it comes."""
    graph, findings = _Graph(session, workspace_id, own, only_active=True), Findings()
    for place, name in runs_by_name(definition):
        target = await graph.named(name)
        if target is not None:
            await _leads_back(graph, target, (*place, "workflow"), findings)
    return findings.problems


async def decide_alone(session: AsyncSession, workspace_id: UUID, definition: Definition) -> None:
    """Before a definition that runs other workflows is checked to become one that is run: until the transaction ends
    nobody else brings such a one. Two that close a circle together would not see each other."""
    if next(runs_by_name(definition), None) is not None:
        await workflows.lock_runs(session, workspace_id)


async def _leads_back(graph: "_Graph", target: Workflow, here: Path, findings: Findings) -> bool:
    slugs = await graph.back(target)
    if slugs:
        findings.add(here, f"the workflow would run itself: {' → '.join(slugs)}", "break the circle")
    return bool(slugs)


class _Graph:
    """Which workflow runs which, by the versions new runs take or may take, as far as it was followed. Everything is
    looked up once, however many steps lead to it."""

    def __init__(self, session: AsyncSession, workspace_id: UUID, own: Workflow, *, only_active: bool = False) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._own = own
        self._only_active = only_active
        self._named: dict[str, Workflow | None] = {}
        self._runs: dict[UUID, list[Workflow]] = {}
        self._harmless: set[UUID] = set()
        """Workflows from which no way leads back."""

    async def named(self, name: str) -> Workflow | None:
        """The workflow of this slug or id."""
        if name not in self._named:
            self._named[name] = await workflows.named(self._session, self._workspace_id, name)
        return self._named[name]

    async def back(self, target: Workflow) -> list[str]:
        """The slugs on a shortest way from the workflow itself by `target` back to itself; none where there is none."""
        came: dict[UUID, Workflow | None] = {target.id: None}
        queue = deque([target])
        while queue:
            workflow = queue.popleft()
            if workflow.id == self._own.id:
                return self._way(workflow, came)
            if workflow.id in self._harmless:
                continue
            for found in await self._run_by(workflow):
                if found.id not in came:
                    came[found.id] = workflow
                    queue.append(found)
        self._harmless |= came.keys()
        return []

    def _way(self, last: Workflow, came: dict[UUID, Workflow | None]) -> list[str]:
        slugs, at = [], came[last.id]
        while at is not None:
            slugs.append(at.slug)
            at = came[at.id]
        return [self._own.slug, *reversed(slugs), self._own.slug]

    async def _run_by(self, workflow: Workflow) -> list[Workflow]:
        """What it runs: by the version its new runs take, and by the latest, which they take once it is activated."""
        known = self._runs.get(workflow.id)
        if known is None and len(self._runs) < MOST_FOLLOWED:
            found = [await self.named(name) for name in await self._names_in(workflow)]
            known = self._runs[workflow.id] = [each for each in found if each is not None]
        return known or []

    async def _names_in(self, workflow: Workflow) -> list[str]:
        names: list[str] = []
        active = workflow.active_version or 0
        for number in [active] if self._only_active else sorted({active, workflow.latest_version}):
            version = await versions.find(self._session, self._workspace_id, workflow.id, number)
            names += published(version).runs if version is not None else ()
        return list(dict.fromkeys(names))
