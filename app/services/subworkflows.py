"""What publishing says of steps that run other workflows: whether those are there, and whether they lead back here.

Names that are expressions are known when the step is reached and not before; those are bounded by how deep runs nest.
"""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workflow
from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.expressions import is_template
from app.definition.model import Definition
from app.definition.parse import parse
from app.definition.problems import Problem
from app.definition.steps import RunWorkflowStep
from app.definition.tree import walk_paths
from app.store import versions, workflows

MOST_FOLLOWED = 200
"""Workflows looked into for one that is published; a circle beyond them ends by how deep runs nest."""


async def check_runs(session: AsyncSession, workspace_id: UUID, definition: Definition, own: Workflow) -> list[Problem]:
    """Problems of the `run_workflow` steps in a definition of the workflow `own`: unknown workflows and circles are
    errors, one that takes no runs now is a warning."""
    return await _Graph(session, workspace_id, own).problems(definition)


class _Graph:
    """Which workflow runs which, by the versions new runs take, as far as it was followed."""

    def __init__(self, session: AsyncSession, workspace_id: UUID, own: Workflow) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._own = own
        self._seen: set[UUID] = set()

    async def problems(self, definition: Definition) -> list[Problem]:
        findings = Findings()
        for place, name in _named(definition):
            here = (*place, "workflow")
            target = await workflows.named(self._session, self._workspace_id, name)
            if target is None:
                findings.add(here, f"there is no workflow '{name[:80]}'", "write the slug or id of one; make it first")
                continue
            self._seen.clear()
            chain = await self._back(target)
            if chain is not None:
                slugs = " → ".join([self._own.slug, *chain])
                findings.add(here, f"the workflow would run itself: {slugs}", "break the circle")
            elif target.status != "active":
                findings.add(
                    here, f"the workflow '{target.slug}' is {target.status}: the step fails as long as it is",
                    "publish or activate it", severity="warning",
                )  # fmt: skip
        return findings.problems

    async def _back(self, target: Workflow) -> list[str] | None:
        """The slugs on a way from `target` to the workflow itself; None where there is none."""
        ways: list[tuple[Workflow, list[str]]] = [(target, [target.slug])]
        while ways and len(self._seen) < MOST_FOLLOWED:
            workflow, chain = ways.pop(0)
            if workflow.id == self._own.id:
                return chain
            if workflow.id in self._seen:
                continue
            self._seen.add(workflow.id)
            ways += [(found, [*chain, found.slug]) for found in await self._runs(workflow)]
        return None

    async def _runs(self, workflow: Workflow) -> list[Workflow]:
        """What the version of the workflow runs that its new runs take, or would take once it is active again."""
        number = workflow.active_version or workflow.latest_version
        version = await versions.find(self._session, self._workspace_id, workflow.id, number)
        if version is None:
            return []
        names = [name for _place, name in _named(parse(version.definition))]
        found = [await workflows.named(self._session, self._workspace_id, name) for name in dict.fromkeys(names)]
        return [each for each in found if each is not None]


def _named(definition: Definition) -> Iterator[tuple[Path, str]]:
    """The steps that run a workflow whose name is written out, with their places."""
    for place, step in walk_paths(definition):
        if isinstance(step, RunWorkflowStep) and not is_template(step.workflow):
            yield place, step.workflow.strip()
