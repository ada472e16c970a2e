"""Rules of manual triggers: the schema of a run's input."""

from app.definition.checks.findings import Findings
from app.definition.checks.schemas import check_json_schema
from app.definition.errors import Path
from app.definition.triggers.manual import ManualTrigger


def check_manual(trigger: ManualTrigger, place: Path, findings: Findings) -> None:
    """The schema, if there is one."""
    if trigger.input_schema is not None:
        check_json_schema(trigger.input_schema, (*place, "input_schema"), findings)
