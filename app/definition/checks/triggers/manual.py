"""Rules of manual triggers: the schema of a run's input."""

from app.definition.checks.findings import Findings
from app.definition.checks.schemas import check_json_schema
from app.definition.errors import Path, shorten
from app.definition.triggers.manual import ManualTrigger


def check_manual(trigger: ManualTrigger, place: Path, findings: Findings) -> None:
    """The schema, if there is one, and an order of what it has."""
    schema = trigger.input_schema or {}
    if trigger.input_schema is not None:
        check_json_schema(schema, (*place, "input_schema"), findings)
    properties = schema.get("properties")
    for index, name in enumerate(trigger.order):
        if not isinstance(properties, dict) or name not in properties:
            findings.add((*place, "order", index), f"there is no property '{shorten(name, 60)}'", severity="warning")
