"""Rules of a workflow's limits: their keys may use what is known when a run is asked for, and nothing of later."""

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.names import Names, check_value
from app.definition.checks.triggers import placed_triggers
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.triggers import EventTrigger
from app.json import Json

KEY_RUN_FIELDS = ("workflow_id", "workflow_name", "version")
"""Of `run`: the run itself has not begun, and an id that no other run has would be no key."""


def _check_order(definition: Definition, findings: Findings) -> None:
    """Runs of a key cannot be both one after the other and so many at once."""
    for path, trigger in placed_triggers(definition):
        if isinstance(trigger, EventTrigger) and trigger.ordered_by is not None:
            findings.add(
                (*path, "ordered_by"),
                "ordered_by has runs begin one after the other, and settings.concurrency has its own say in that",
                "take one of them: concurrency with limit: 1 for all runs, or ordered_by for an order of events",
            )


def check_limits(definition: Definition, names: Names, findings: Findings) -> None:
    """Keys are evaluated before there is a run: no variables, no steps."""
    settings = definition.settings
    scope = Scope((), {}, {"run": KEY_RUN_FIELDS})
    known = names.before_a_run()
    keys: list[tuple[Path, Json]] = [(("settings", "run_once_per"), settings.run_once_per)]
    if settings.concurrency is not None:
        keys.append((("settings", "concurrency", "key"), settings.concurrency.key))
    for place, key in keys:
        check_value(key, place, scope, known, findings)
    if settings.concurrency is not None:
        _check_order(definition, findings)
    if settings.excess != "delay" and settings.max_runs_per_hour is None:
        findings.add(
            ("settings", "excess"),
            "excess is about max_runs_per_hour, which is not set",
            "set max_runs_per_hour, or put excess under concurrency",
        )
