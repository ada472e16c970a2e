"""The audit log as CSV: nothing of it is a formula, and all of it is read back."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.audit_exports import COLUMNS, written
from app.db.models import AuditEntry

FORMULAS = "=+-@＝＋－＠\t\r"
HOSTILE = [
    "=1+1", "a;=1+1", "a;\"=1+1", "a;\"\"@SUM(A1)", "a\t=1+1", "a\r=1+1", "a\n-1",
    "a\r\n+1", ";;=1", "\t=1", "＝1", "a;＝1", "\r", ";@",
]  # fmt: skip
HARMLESS = ["", "plain", "a; b", "x=1", "a-b", 'say "hi"', "Mozilla/5.0 (X11; Linux)", "a,b", "two\nlines", "'quoted"]


async def none() -> AsyncIterator[Sequence[AuditEntry]]:
    for nothing in ():
        yield nothing


async def row_of(name: str, *, delimiter: str = ",") -> list[str]:
    """The cells of an entry with this name, as a spreadsheet reads them with this separator."""
    entry = AuditEntry(
        workspace_id=UUID(int=1), id=UUID(int=2), at=datetime(2026, 1, 1, tzinfo=UTC), actor_kind="key",
        actor_id="k", actor_name="K", action="workflow.create", target_type="workflow", target_id="w",
        target_name=name, outcome="done", address=None, user_agent=None, request_id=None, before=None,
        after={"n": -1, "text": "=1"},
    )  # fmt: skip
    text = "".join([piece async for piece in written("csv", [entry], none())])
    head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert delimiter != "," or tuple(head) == COLUMNS
    return [cell for row in rows for cell in row]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_no_cell_is_a_formula_whatever_separates_cells(name: str, delimiter: str) -> None:
    for cell in await row_of(name, delimiter=delimiter):
        assert not any(line.lstrip('"').startswith(tuple(FORMULAS)) for line in cell.split("\n")), cell


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_is_no_formula_is_read_back_as_it_is(name: str) -> None:
    cells = dict(zip(COLUMNS, await row_of(name), strict=True))
    assert (cells["target_name"], cells["after"]) == (name, '{"n": -1, "text": "=1"}')
