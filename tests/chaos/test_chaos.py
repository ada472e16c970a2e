"""The chaos run of every day: twenty runs, and each server killed once. `make chaos` plays the whole of it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.plan import SHORT
from tests.chaos.program import Watching, run


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own temporary folder: that is closed to the account of PostgreSQL."""
    made = Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.timeout(300)
async def test_runs_survive_the_end_of_every_process(folder: Path) -> None:
    told: list[str] = []
    watching = Watching(told.append, lambda struck, ledger: told.append(f"{struck.strike.name} at {ledger.effects}"))
    outcome = await run(SHORT, folder, watching)
    assert {promise.text: promise.told for promise in outcome.broken} == {}, told
    assert outcome.figures["runs_by_status"] == {"completed": 16, "failed": 2, "cancelled": 2}
    assert outcome.figures["effects_done"] == outcome.figures["outcomes_kept"] == SHORT.effects == 100
