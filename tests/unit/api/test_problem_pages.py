"""Every code a problem document can carry has a page that says what it means."""

import ast
from collections.abc import Iterator
from pathlib import Path

from api.problem_pages import PROBLEM_PAGES

ROOT = Path(__file__).parents[3]
REFUSALS = {"NotFound", "Conflict", "Stale", "Invalid", "TooLarge", "TooMany", "Unauthenticated", "Unavailable"}


def codes_raised() -> Iterator[tuple[str, str]]:
    """Where a refusal is made, and its code."""
    for path in [*(ROOT / "app" / "services").glob("*.py"), *(ROOT / "api").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from ((f"{path.name}:{node.lineno}", code) for code in codes_of(node))


def codes_of(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    places = {"Refused": 1, **dict.fromkeys(REFUSALS, 0)}
    found = [call.args[places[name]]] if name in places and len(call.args) > places[name] else []
    found += [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    yield from (node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_code_that_is_raised_has_a_page() -> None:
    raised = list(codes_raised())
    assert {"workflow_not_active", "malformed_json", "invalid_workflow"} <= {code for _, code in raised}
    assert [(place, code) for place, code in raised if code not in PROBLEM_PAGES] == []


def test_a_page_has_a_title_and_says_more_than_it() -> None:
    for code, page in PROBLEM_PAGES.items():
        assert code.replace("_", "").isalpha()
        assert page.title
        assert len(page.explanation) > len(page.title)
