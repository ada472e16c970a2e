"""Rules of triggers: event types, filters over the event alone, schemas of inputs."""

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.kinds import check_event_type
from app.definition.checks.names import Names, check_match
from app.definition.checks.schemas import check_json_schema
from app.definition.conditions import EVENT_NAMES
from app.definition.errors import Path
from app.definition.model import Definition, EventTrigger, ManualTrigger


def check_triggers(definition: Definition, findings: Findings) -> None:
    """Every trigger of the definition."""
    placed: list[tuple[Path, ManualTrigger | EventTrigger]] = []
    if definition.trigger is not None:
        placed.append((("trigger",), definition.trigger))
    placed.extend((("triggers", index), trigger) for index, trigger in enumerate(definition.triggers))
    for place, trigger in placed:
        if isinstance(trigger, EventTrigger):
            _check_event_trigger(trigger, place, findings)
        elif trigger.input_schema is not None:
            check_json_schema(trigger.input_schema, (*place, "input_schema"), findings)


def _check_event_trigger(trigger: EventTrigger, place: Path, findings: Findings) -> None:
    check_event_type(trigger.event, (*place, "event"), findings)
    # No run exists yet: a filter sees the event and nothing else.
    check_match(trigger.filter, (*place, "filter"), Scope((), {}).with_names(EVENT_NAMES), Names(), findings)
