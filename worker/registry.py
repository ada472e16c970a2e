"""Which Temporal workflows a worker carries, in one place: what it serves is what `holdfast replay` replays."""

from collections.abc import Mapping

from app.temporal import names
from workflows.automation import Automation
from workflows.scheduled import Scheduled
from workflows.upkeep import Upkeep

WORKFLOWS: Mapping[str, type] = {
    names.AUTOMATION_WORKFLOW: Automation,
    names.UPKEEP_WORKFLOW: Upkeep,
    names.SCHEDULED_WORKFLOW: Scheduled,
}
"""Temporal's name of a workflow to its class."""
