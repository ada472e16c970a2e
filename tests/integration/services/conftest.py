"""What the tests of the services share."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from app.db.models import Workflow
from app.services.platform import Platform, open_platform
from tests.conftest import TestWorkspace
from tests.support.engine import Engine
from tests.support.own_worker import engine_without_worker


@pytest.fixture
async def a_workflow(platform: Platform, workspace: TestWorkspace) -> UUID:
    """The id of a workflow that is a bare row."""
    row = Workflow(workspace_id=workspace.id, id=uuid7(), name="Test", slug="test", draft={})
    async with platform.database.transaction(workspace.id) as session:
        session.add(row)
    return row.id


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Runs are begun in Temporal, where no worker takes them: each ends when its test says so."""
    return engine_without_worker(platform, workspace.id, monkeypatch)


@pytest.fixture
async def three(platform: Platform) -> AsyncIterator[Sequence[Platform]]:
    """As many processes have: pools and connections of their own."""
    async with open_platform(platform.settings) as second, open_platform(platform.settings) as third:
        yield (platform, second, third)
