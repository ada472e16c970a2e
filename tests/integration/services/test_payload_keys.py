"""Payload keys are deleted only once no process encrypts with them any more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.db.models import PayloadKey
from app.definition.durations import parse_moment
from app.services import payload_keyring, payload_keys
from app.services.errors import Conflict
from app.services.payload_keys import LAG
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.payload_keys import retired_for


@pytest.fixture
def encrypting(platform: Platform) -> Platform:
    return replace(platform, settings=platform.settings.model_copy(update={"payload_encryption": "on"}))


async def make(platform: Platform, workspace: TestWorkspace) -> PayloadKey:
    return await payload_keys.create(platform, workspace.id, created_by="test")


async def refused(platform: Platform, workspace: TestWorkspace, key: PayloadKey) -> Conflict:
    with pytest.raises(Conflict) as found:
        await payload_keys.delete(platform, workspace.id, key.id, end_runs=True)
    return found.value


async def states(platform: Platform, workspace: TestWorkspace) -> dict[UUID, str]:
    return {
        key.id: "deleted" if key.wrapped is None else "active" if key.retired_at is None else "retired"
        for key in await payload_keys.list_(platform, workspace.id)
    }


async def sealing(platform: Platform, workspace: TestWorkspace) -> UUID | None:
    key = await platform.payload_keys.sealing(workspace.id)
    return None if key is None else key.id


def test_a_key_is_retired_for_longer_than_any_process_believes_that_it_is_not() -> None:
    assert LAG.total_seconds() > payload_keyring.FRESH_SECONDS


async def test_a_key_is_not_deleted_while_another_process_may_encrypt_with_it(
    encrypting: Platform, three: Sequence[Platform], workspace: TestWorkspace
) -> None:
    first = await make(encrypting, workspace)
    assert await sealing(three[1], workspace) == first.id
    second = await make(encrypting, workspace)
    assert await sealing(three[1], workspace) == first.id, "it does not know yet"
    refusal = await refused(encrypting, workspace, first)
    assert refusal.code == "payload_key_retiring"
    until = parse_moment(refusal.detail.rpartition("from ")[2].removesuffix(" on."))
    assert timedelta() < until - datetime.now(UTC) <= LAG
    assert await states(encrypting, workspace) == {first.id: "retired", second.id: "active"}

    await retired_for(encrypting, workspace.id)
    await payload_keys.delete(encrypting, workspace.id, first.id, end_runs=True)
    assert await states(encrypting, workspace) == {first.id: "deleted", second.id: "active"}


async def test_the_one_that_encrypts_is_not_deleted_beside_others(
    encrypting: Platform, workspace: TestWorkspace
) -> None:
    first, second = await make(encrypting, workspace), await make(encrypting, workspace)
    await retired_for(encrypting, workspace.id)
    assert (await refused(encrypting, workspace, second)).code == "payload_key_active"
    assert await states(encrypting, workspace) == {first.id: "retired", second.id: "active"}
    assert await sealing(encrypting, workspace) == second.id


async def test_the_last_one_is_retired_first_and_then_nothing_is_encrypted(
    encrypting: Platform, workspace: TestWorkspace
) -> None:
    key = await make(encrypting, workspace)
    for _ in range(2):
        assert (await refused(encrypting, workspace, key)).code == "payload_key_retiring"
        assert await states(encrypting, workspace) == {key.id: "retired"}
        assert await sealing(encrypting, workspace) is None
    assert (await encrypting.payload_keys.opening(workspace.id, key.id, None)).id == key.id
    await retired_for(encrypting, workspace.id)
    await payload_keys.delete(encrypting, workspace.id, key.id, end_runs=False)
    assert await states(encrypting, workspace) == {key.id: "deleted"}
    newer = await make(encrypting, workspace)
    assert await sealing(encrypting, workspace) == newer.id
