"""Rules of schedule triggers: that there are moments to start runs at."""

from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.triggers.schedule import ScheduleTrigger


def check_schedule(trigger: ScheduleTrigger, place: Path, findings: Findings) -> None:
    """Either `cron` or `every`."""
    if (trigger.cron is None) == (trigger.every is None):
        findings.add(place, "a schedule has either cron or every", "cron: '0 9 * * mon-fri', or every: 15m")
