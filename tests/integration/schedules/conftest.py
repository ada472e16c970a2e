"""What the tests of schedules share."""

import pytest
from temporalio.worker import Worker

from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.engine import Engine


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, worker: Worker) -> Engine:
    """A workspace with a worker that begins its runs."""
    return Engine(platform, workspace.id)
