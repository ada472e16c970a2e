"""What the tests of the services share."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from app.db.models import Workflow
from app.services.platform import Platform
from tests.conftest import TestWorkspace


@pytest.fixture
async def a_workflow(platform: Platform, workspace: TestWorkspace) -> UUID:
    """The id of a workflow that is a bare row."""
    row = Workflow(workspace_id=workspace.id, id=uuid7(), name="Test", slug="test", draft={})
    async with platform.database.transaction(workspace.id) as session:
        session.add(row)
    return row.id
