"""Rotation: everything gets the newest key while others work, however often it is broken off."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app.cli.exits import ExitCode
from app.db.models import AuditEntry, Connection, OAuthAuthorization, OAuthToken, PayloadKey, Webhook
from app.security.credentials import KeyRing, NoEncryptionKey
from app.services import connections, key_rotation, message_addresses, variables
from app.services.actors import NO_WORKSPACE
from app.services.errors import Conflict
from app.services.platform import Platform
from app.store import sealed
from app.store.sealed import SEALED
from app.store.sweeps import Sweeps
from tests.conftest import TestWorkspace
from tests.integration.cli.on_servers import on_servers
from tests.support.cli import holdfast
from tests.support.documents import ROOT
from tests.support.providers import TWILIO


class Died(Exception):
    """The process did."""


class Breaking(KeyRing):
    """A ring of a process that dies when it is to renew one value too many."""

    left = 3

    def renewed(self, ciphertext: str) -> str:
        self.left -= 1
        if self.left < 0:
            raise Died
        return super().renewed(ciphertext)


@pytest.fixture(autouse=True)
def one_workspace(workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this test's workspace is gone over: those of other tests keep the key of their platform."""

    async def own(_sweeps: Sweeps, after: UUID | None, _limit: int) -> list[tuple[UUID, str]]:
        return [(workspace.id, "active")] if after is None else []

    monkeypatch.setattr(Sweeps, "states_after", own)


@pytest.fixture
def old(platform: Platform) -> SecretStr:
    """The key that everything has."""
    return platform.settings.encryption_keys[0]


@pytest.fixture
def new() -> SecretStr:
    return SecretStr(KeyRing.generate_key())


def ringed(platform: Platform, *keys: SecretStr, kind: type[KeyRing] = KeyRing) -> Platform:
    return replace(platform, keyring=kind(keys))


async def smtp(platform: Platform, workspace: TestWorkspace, name: str) -> Connection:
    login = {"username": name, "password": "hunter2"}
    config = {"host": "mail.example.com"}
    return await connections.create(platform, workspace.id, kind="smtp", name=name, config=config, credentials=login)


async def user(platform: Platform, workspace: TestWorkspace, name: str) -> Any:
    return (await connections.resolve(platform, workspace.id, name, "smtp")).credentials["username"]


async def one_of_each(platform: Platform, workspace: TestWorkspace, workflow_id: UUID) -> UUID:
    """A value in every column that is sealed; answers the id of the connection that some of them are of."""
    connection = await connections.create(platform, workspace.id, **TWILIO)
    await message_addresses.open_(platform, workspace.id, connection.id)
    await variables.create(platform, workspace.id, {"name": "api_key", "value": "s3cret", "is_secret": True})
    some = platform.keyring.encrypt({"x": 1}, context="c")
    own, ids = {"workspace_id": workspace.id, "id": uuid7()}, {"connection_id": connection.id}
    later = datetime(2099, 1, 1, tzinfo=UTC)
    async with platform.database.transaction(workspace.id) as session:
        session.add(OAuthToken(workspace_id=workspace.id, **ids, tokens=some))
        session.add(OAuthAuthorization(**own, **ids, ticket_hash="t", verifier=some, expires_at=later))
        session.add(Webhook(**own, workflow_id=workflow_id, position=0, token_hash="t", secrets=some))
        session.add(PayloadKey(**own, wrapped=some))
    return connection.id


async def sealed_with(platform: Platform, workspace: TestWorkspace) -> dict[str, str]:
    """The ids of the keys that the values in each sealed column name."""
    async with platform.database.transaction(workspace.id) as session:
        return {sealed.name_of(one): ",".join(await sealed.by_key(session, workspace.id, one)) for one in SEALED}


async def test_every_sealed_value_gets_the_newest_key_and_the_old_one_may_go(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr, a_workflow: UUID
) -> None:
    connection_id = await one_of_each(platform, workspace, a_workflow)
    token = (await message_addresses.get(platform, workspace.id, connection_id)).token
    both = ringed(platform, new, old)
    columns, number = [sealed.name_of(column) for column in SEALED], len(SEALED)

    assert await sealed_with(platform, workspace) == dict.fromkeys(columns, platform.keyring.newest)
    before = await key_rotation.progress(both)
    done = await key_rotation.rotate(both)

    assert await sealed_with(platform, workspace) == dict.fromkeys(columns, both.keyring.newest)
    assert (before.left, [key.values for key in before.keys]) == (number, [0, number])
    assert [before.is_removable(key) for key in before.keys] == [False, False]
    assert (done.renewed, done.left, [key.values for key in done.keys]) == (number, 0, [number, 0])
    assert [done.is_removable(key) for key in done.keys] == [False, True]
    alone = ringed(platform, new)
    assert (await message_addresses.get(alone, workspace.id, connection_id)).token == token
    assert (await key_rotation.rotate(both)).renewed == 0


async def test_the_command_rotates_says_what_may_go_and_leaves_an_entry(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr, tmp_path: Path
) -> None:
    await smtp(platform, workspace, "mail")
    keys = f"{new.get_secret_value()},{old.get_secret_value()}"
    given = on_servers(platform.settings) | {"HOLDFAST_ENCRYPTION_KEYS": keys, "HOLDFAST_DATA_DIR": str(tmp_path)}

    checked = await holdfast("keys", "rotate", "--check", "--json", environment=given)
    done = await holdfast("keys", "rotate", "--json", environment=given)
    shown = await holdfast("keys", "rotate", environment=given)

    newest, oldest = ringed(platform, new, old).keyring.ids
    assert (checked.code, done.code, shown.code) == (ExitCode.OK, ExitCode.OK, ExitCode.OK), done.err + shown.err
    assert (checked.json()["renewed"], checked.json()["left"]) == (0, 1)
    assert done.json() == {
        "newest": newest, "renewed": 1, "left": 0, "unreadable": {},
        "keys": [
            {"id": newest, "place": 1, "values": 1, "removable": False},
            {"id": oldest, "place": 2, "values": 0, "removable": True},
        ],
    }  # fmt: skip
    assert "may be removed" in shown.out
    assert "secrets of runs that began with it" in " ".join(shown.err.split())
    assert await user(ringed(platform, new), workspace, "mail") == "mail"
    async with platform.database.transaction(NO_WORKSPACE) as session:
        entries = await session.scalars(select(AuditEntry).where(AuditEntry.target_id == newest).order_by("id"))
        told = [(one.action, one.actor_kind, one.actor_name, one.after) for one in entries]
    by = ("encryption_key.rotate", "system", "holdfast keys rotate")
    assert told == [(*by, {"renewed": 1, "left": 0}), (*by, {"renewed": 0, "left": 0})]


def test_every_column_that_is_said_to_hold_a_ciphertext_is_rotated() -> None:
    """The models say so of those they have; nothing else tells a ciphertext from any text."""
    sources = "".join(path.read_text() for path in (ROOT / "app" / "db" / "models").glob("*.py"))
    assert len(sealed.SEALED) == len(re.findall(r"\bciphertext\b", sources))


async def test_one_that_died_half_way_is_followed_by_one_that_ends_it(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr
) -> None:
    names = [f"mail-{number}" for number in range(5)]
    for name in names:
        await smtp(platform, workspace, name)
    with pytest.raises(Died):
        await key_rotation.rotate(ringed(platform, new, old, kind=Breaking), batch=2)

    between = await key_rotation.progress(ringed(platform, new, old))
    assert (between.left, [key.values for key in between.keys]) == (3, [2, 3])
    assert [await user(ringed(platform, new, old), workspace, name) for name in names] == names
    ended = await key_rotation.rotate(ringed(platform, new, old), batch=2)
    assert (ended.renewed, ended.left) == (3, 0)
    assert [await user(ringed(platform, new), workspace, name) for name in names] == names


async def test_what_is_written_meanwhile_stays(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr
) -> None:
    row = await smtp(platform, workspace, "mail")

    both = ringed(platform, new, old)
    stale = await connections.get(platform, workspace.id, row.id)
    assert stale.credentials is not None
    await connections.update(both, workspace.id, row.id, {"credentials": {"username": "another", "password": "other"}})
    async with platform.database.transaction(workspace.id) as session:
        place = (row.id,)
        replaced = await sealed.replace(
            session, workspace.id, Connection.credentials, place, before=stale.credentials, after="lost"
        )
    assert not replaced
    assert await user(both, workspace, "mail") == "another"


async def test_a_value_without_a_key_is_told_and_holds_up_no_other(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr
) -> None:
    for name in ("a", "b"):
        await smtp(platform, workspace, name)
    lost = ringed(platform, SecretStr(KeyRing.generate_key()))
    await smtp(lost, workspace, "lost")
    done = await key_rotation.rotate(ringed(platform, new, old), batch=1)
    assert (done.renewed, done.left) == (2, 1)
    assert done.unreadable == {f"connections.credentials of workspace {workspace.id}": 1}
    assert [(key.place, key.values) for key in done.keys] == [(1, 2), (2, 0), (None, 1)]


async def test_values_that_name_no_key_are_renewed_and_keep_old_keys_in_the_ring_till_then(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr
) -> None:
    row = await smtp(platform, workspace, "mail")
    async with platform.database.transaction(workspace.id) as session:
        assert row.credentials is not None
        bare = row.credentials.partition(".")[2]
        await session.execute(update(Connection).values(credentials=bare))
    both = ringed(platform, new, old)
    assert await user(both, workspace, "mail") == "mail"
    before = await key_rotation.progress(both)
    assert [(key.id == "", key.values) for key in before.keys] == [(False, 0), (False, 0), (True, 1)]
    assert not any(before.is_removable(key) for key in before.keys)
    done = await key_rotation.rotate(both)
    assert [done.is_removable(key) for key in done.keys] == [False, True]


async def test_a_renewed_ciphertext_still_belongs_to_its_connection_alone(
    platform: Platform, workspace: TestWorkspace, old: SecretStr, new: SecretStr
) -> None:
    first, second = await smtp(platform, workspace, "first"), await smtp(platform, workspace, "second")
    both = ringed(platform, new, old)
    await key_rotation.rotate(both)
    renewed = (await connections.get(both, workspace.id, first.id)).credentials
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(Connection).where(Connection.id == second.id).values(credentials=renewed))
    with pytest.raises(Conflict, match="saved for another connection"):
        await connections.resolve(both, workspace.id, "second", "smtp")


async def test_without_a_ring_there_is_nothing_to_rotate_to(platform: Platform) -> None:
    with pytest.raises(NoEncryptionKey):
        await key_rotation.rotate(ringed(platform))
