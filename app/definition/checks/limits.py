"""Rules of a workflow's limits: their keys may use what is known when a run is asked for, and nothing of later."""

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.names import Names, check_value
from app.definition.errors import Path
from app.definition.model import Definition
from app.json import Json

KEY_RUN_FIELDS = ("workflow_id", "workflow_name", "version")
"""Of `run`: the run itself has not begun, and an id that no other run has would be no key."""


def check_limits(definition: Definition, names: Names, findings: Findings) -> None:
    """Keys are evaluated before there is a run: no variables, no steps."""
    settings = definition.settings
    scope = Scope((), {}, {"run": KEY_RUN_FIELDS})
    known = names.without("vars").without("steps")
    keys: list[tuple[Path, Json]] = [(("settings", "run_once_per"), settings.run_once_per)]
    if settings.concurrency is not None:
        keys.append((("settings", "concurrency", "key"), settings.concurrency.key))
    for place, key in keys:
        check_value(key, place, scope, known, findings)
    if settings.excess != "delay" and settings.max_runs_per_hour is None:
        findings.add(
            ("settings", "excess"),
            "excess is about max_runs_per_hour, which is not set",
            "set max_runs_per_hour, or put excess under concurrency",
        )
