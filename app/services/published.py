"""What starting a run needs to know of a published definition. A version never changes: it is read once a process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from app.db.models import Version
from app.definition.errors import Path
from app.definition.expressions import is_template
from app.definition.model import Definition
from app.definition.parse import parse
from app.definition.run_limits import RunLimits
from app.definition.steps import DelayStep, RunWorkflowStep
from app.definition.tree import walk, walk_paths
from app.definition.triggers import EventTrigger, FormTrigger, ManualTrigger
from app.json import JsonObject


@dataclass(frozen=True, kw_only=True)
class Published:
    """`input_schemas` are those of the manual triggers; empty when any input is welcome. `size` is bytes of JSON.
    `forms` are form triggers with their places among all triggers."""

    variables: frozenset[str]
    input_schemas: tuple[JsonObject, ...]
    steps_total: int
    size: int
    limits: RunLimits | None
    runs: tuple[str, ...]
    """Workflows that its steps run by names that are written out."""
    forms: tuple[tuple[int, FormTrigger], ...] = ()
    delays: bool = False
    """Whether any of its steps is a `delay`."""


@dataclass(frozen=True)
class _ByDigest:
    digest: str
    definition: JsonObject = field(compare=False, hash=False)


def published(version: Version) -> Published:
    """What the version says about itself."""
    return _read(_ByDigest(version.digest, version.definition))


@lru_cache(maxsize=512)
def _read(version: _ByDigest) -> Published:
    definition = parse(version.definition)
    manual = [trigger.input_schema for trigger in definition.all_triggers if isinstance(trigger, ManualTrigger)]
    schemas = [schema for schema in manual if schema is not None]
    events = [trigger for trigger in definition.all_triggers if isinstance(trigger, EventTrigger)]
    return Published(
        variables=frozenset(definition.variables),
        input_schemas=tuple(schemas) if len(schemas) == len(manual) else (),
        steps_total=sum(1 for _ in walk(definition)),
        size=len(json.dumps(version.definition)),
        limits=RunLimits.of(definition.settings, events),
        runs=tuple(dict.fromkeys(name for _place, name in runs_by_name(definition))),
        forms=tuple(
            (place, trigger)
            for place, trigger in enumerate(definition.all_triggers)
            if isinstance(trigger, FormTrigger)
        ),
        delays=any(isinstance(step, DelayStep) for _place, step in walk(definition)),
    )


def runs_by_name(definition: Definition) -> Iterator[tuple[Path, str]]:
    """The steps that run a workflow whose name is written out, with their places."""
    for place, step in walk_paths(definition):
        if isinstance(step, RunWorkflowStep) and not is_template(step.workflow):
            yield place, step.workflow.strip()


@dataclass(frozen=True, slots=True)
class Active:
    """What starting a run needs to know of an active workflow without limits, as it was at its last start."""

    workflow_name: str
    workspace_name: str
    version: Version
    facts: Published
