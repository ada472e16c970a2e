"""Rules of event triggers: types of events, and filters over the event alone."""

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.kinds import check_event_type
from app.definition.checks.names import Names, check_match, check_value
from app.definition.conditions import EVENT_NAMES
from app.definition.errors import Path
from app.definition.triggers.event import EventTrigger
from app.json import Json

_EVENT_ALONE = Scope((), {}).with_names(EVENT_NAMES)
"""No run exists yet: a filter sees the event and nothing else."""


def check_event(trigger: EventTrigger, place: Path, findings: Findings) -> None:
    """The type, the filter and the order."""
    check_event_type(trigger.event, (*place, "event"), findings)
    check_event_filter(trigger.filter, (*place, "filter"), findings)
    check_value(trigger.ordered_by, (*place, "ordered_by"), _EVENT_ALONE, Names(), findings)


def check_event_filter(filter: Json, place: Path, findings: Findings) -> None:
    """The filter of a trigger."""
    check_match(filter, place, _EVENT_ALONE, Names(), findings)
