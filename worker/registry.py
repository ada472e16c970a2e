"""Which Temporal workflows a worker carries, in one place: what it serves is what `holdfast replay` replays."""

from workflows.automation import Automation

WORKFLOWS: tuple[type, ...] = (Automation,)
