"""Rules of message triggers: filters over the message's event alone."""

from app.definition.checks.findings import Findings
from app.definition.checks.triggers.event import check_event_filter
from app.definition.errors import Path
from app.definition.triggers.message import MessageTrigger


def check_message(trigger: MessageTrigger, place: Path, findings: Findings) -> None:
    """The filter."""
    check_event_filter(trigger.filter, (*place, "filter"), findings)
