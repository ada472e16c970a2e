"""Rules of form triggers: the schema of what is filled in."""

from app.definition.checks.findings import Findings
from app.definition.checks.schemas import check_json_schema
from app.definition.errors import Path
from app.definition.triggers.form import FormTrigger


def check_form(trigger: FormTrigger, place: Path, findings: Findings) -> None:
    """The fields."""
    check_json_schema(trigger.fields, (*place, "fields"), findings)
