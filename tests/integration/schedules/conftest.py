"""What the tests of schedules share."""

import pytest
from temporalio.worker import Worker

from app.services import schedules
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.engine import Engine


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, worker: Worker) -> Engine:
    """A workspace with a worker that begins its runs."""
    return Engine(platform, workspace.id)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is started by hand may take long to begin where something else keeps the machine busy."""
    monkeypatch.setattr(schedules, "BEGIN_SECONDS", 30.0)
