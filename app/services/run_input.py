"""What a run of a workflow may be started with: the schemas of its manual triggers, for those who draw a form.

Whether an input fits is `input_schema`'s to say; how a form looks is the API's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.db.models import Version
from app.definition.parse import parse
from app.definition.triggers import ManualTrigger
from app.json import JsonObject
from app.services import publishing, workflows
from app.services.errors import Conflict, NotFound
from app.services.platform import Platform


@dataclass(frozen=True, slots=True)
class AskedForm:
    """The schema of one manual trigger; `order` names its properties as they were written."""

    schema: JsonObject
    order: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """The version it is of, and those of its manual triggers that have a schema: an input that fits one is taken."""

    version: int
    forms: Sequence[AskedForm]


async def get(platform: Platform, workspace_id: UUID, workflow_id: UUID, *, version: int | None = None) -> Asked:
    """Of the version new runs take, or of `version`. Raises `NotFound` (`workflow_not_found`, `version_not_found`,
    `no_input_schema`) and `Conflict` (`workflow_not_active`)."""
    workflow = await workflows.get(platform, workspace_id, workflow_id)
    number = version or workflow.active_version
    if number is None or (version is None and workflow.status != "active"):
        raise Conflict(
            "workflow_not_active",
            f'The workflow "{workflow.name}" is {workflow.status}: no version of it takes new runs. Publish or '
            "activate it, or name one with ?version=.",
        )
    found = await publishing.version(platform, workspace_id, workflow_id, number)
    forms = _forms(found)
    if not forms:
        raise NotFound(
            "no_input_schema",
            f'Version {number} of the workflow "{workflow.name}" has no manual trigger with an input_schema: a run of '
            "it may be started with any input.",
        )
    return Asked(number, forms)


def _forms(version: Version) -> list[AskedForm]:
    manual = [each for each in parse(version.definition).all_triggers if isinstance(each, ManualTrigger)]
    return [AskedForm(each.input_schema, each.order) for each in manual if each.input_schema is not None]
