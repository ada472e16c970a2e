"""What the problem codes of the audit log mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

AUDIT_PAGES: dict[str, ProblemPage] = {
    "unknown_audit_action": ProblemPage(
        "No such action in the audit log",
        "Actions are `<target type>.<verb>`, as `workflow.publish`; `workflow.*` means all of a type. `errors` lists "
        "those there are.",
    ),
}
