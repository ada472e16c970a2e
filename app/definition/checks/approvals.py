"""Rules of an approval: who is asked, a form that can be asked, policies that can be met."""

from app.definition.checks.findings import Findings
from app.definition.checks.form_schemas import check_form_schema
from app.definition.errors import Path
from app.definition.steps import ApprovalStep


def check_approval(step: ApprovalStep, here: Path, findings: Findings) -> None:
    """What the step asks for can be asked."""
    if step.timeout is None and step.on_timeout == "fail":
        findings.add((*here, "on_timeout"), "on_timeout is fail, and there is no timeout", "add a timeout")
    if isinstance(step.approvers, list):
        for index, approver in enumerate(step.approvers):
            if not approver.strip():
                findings.add((*here, "approvers", index), "an approver is empty", "give a name or an address")
    if step.form is not None:
        check_form_schema(
            step.form, (*here, "form"), findings, way_out="give each field under properties, or leave it out"
        )
