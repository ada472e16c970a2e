"""The threat model names tests that are there, and none of its threats goes without one."""

import ast
import re

import pytest

from tests.support.documents import ROOT

PAGE = ROOT / "docs" / "threat-model.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("|") and line.count("|") == 4 and not line.startswith("|---")
]
THREATS = [row for row in ROWS if row[0] not in ("threat", "who")]
NAMED = sorted({name for row in THREATS for name in re.findall(r"`(tests/[^`]+)`", row[2])})


def test_every_threat_has_a_test() -> None:
    threats = [row for row in THREATS if "tests/" in row[2]]
    assert len(threats) > 40
    people = PAGE.read_text().partition("## Getting in")[0]
    assert [row[0] for row in THREATS if row not in threats and row[0] not in people] == []


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file(), path
    found = {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not function or function in found
    assert any(each.startswith("test_") for each in found)


def test_what_is_promised_says_how_to_report_and_leads_to_the_threats() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "docs/threat-model.md" in text
    for title in ("Telling us", "Which versions are mended", "What is promised"):
        assert f"## {title}" in text
