"""The walk end to end: real PostgreSQL, real Temporal, a worker in this process, a provider on loopback."""

from typing import TYPE_CHECKING

import pytest
from temporalio.worker import Worker

from tests.support.engine import Engine

if TYPE_CHECKING:
    from app.services.platform import Platform
    from tests.conftest import TestWorkspace


@pytest.fixture
def engine(platform: "Platform", workspace: "TestWorkspace", worker: Worker) -> Engine:
    """A workspace of its own, served by the session's worker."""
    return Engine(platform, workspace.id)
