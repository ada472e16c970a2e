"""For how long a process believes what it knows of keys."""

import base64
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.db.engine import Statement
from app.security.credentials import KeyRing
from app.services.errors import Unavailable
from app.services.payload_keyring import (
    AWAY_SECONDS,
    FRESH_SECONDS,
    PayloadKeyDeleted,
    PayloadKeyring,
    wrapping,
)

MINE, FIRST, SECOND = UUID(int=1), UUID(int=11), UUID(int=12)


class Rows:
    """A database with the rows of one workspace's keys, which can be away."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring
        self.rows: list[tuple[UUID, str | None, bool]] = []
        self.away = False
        self.asked = 0

    def make(self, key_id: UUID, *, context: str | None = None) -> None:
        secret = {"secret": base64.b64encode(key_id.bytes * 2).decode()}
        for older, _, _ in list(self.rows):
            self.retire(older)
        self.rows.insert(0, (key_id, self._keyring.encrypt(secret, context=context or wrapping(MINE, key_id)), True))

    def retire(self, key_id: UUID) -> None:
        self.rows = [(id_, wrapped, active and id_ != key_id) for id_, wrapped, active in self.rows]

    def delete(self, key_id: UUID) -> None:
        self.rows = [(id_, None if id_ == key_id else wrapped, active) for id_, wrapped, active in self.rows]

    async def run(self, workspace_id: UUID, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        self.asked += 1
        if self.away:
            raise Unavailable("database_unavailable", "away")
        return [list(self.rows)]


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing([SecretStr(Fernet.generate_key().decode())])


@pytest.fixture
def rows(ring: KeyRing) -> Rows:
    rows = Rows(ring)
    rows.make(FIRST)
    return rows


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(rows: Rows, ring: KeyRing, clock: Clock) -> PayloadKeyring:
    return PayloadKeyring(rows, rows, ring, clock=clock)  # type: ignore[arg-type]  # a stand-in for the database


async def sealing(keys: PayloadKeyring) -> UUID | None:
    key = await keys.sealing(MINE)
    return key and key.id


async def test_a_newer_key_encrypts_and_the_older_one_still_opens(keys, rows, clock) -> None:
    assert await sealing(keys) == FIRST
    rows.make(SECOND)
    assert (await sealing(keys), rows.asked) == (FIRST, 1)
    clock.now += FRESH_SECONDS
    assert await sealing(keys) == SECOND
    assert (await keys.opening(MINE, FIRST, None)).secret == FIRST.bytes * 2


async def test_a_key_another_process_made_opens_at_once(keys, rows, clock) -> None:
    assert await sealing(keys) == FIRST
    rows.make(SECOND)
    clock.now += 1
    assert (await keys.opening(MINE, SECOND, None)).id == SECOND


async def test_a_deleted_key_opens_nothing_within_a_minute_even_where_it_was_in_use(keys, rows, clock) -> None:
    assert await sealing(keys) == FIRST
    rows.delete(FIRST)
    assert FRESH_SECONDS < 60
    clock.now += FRESH_SECONDS
    told: list[UUID] = []
    keys.on_deleted = lambda workspace_id, run_id: told.append(run_id)
    for run_id in (None, UUID(int=5)):
        with pytest.raises(PayloadKeyDeleted):
            await keys.opening(MINE, FIRST, run_id)
    assert told == [UUID(int=5)]
    assert await sealing(keys) is None


async def test_while_the_database_is_away_what_is_known_serves_a_quarter_of_an_hour(keys, rows, clock) -> None:
    assert await sealing(keys) == FIRST
    rows.away = True
    clock.now += AWAY_SECONDS - 10
    assert await sealing(keys) == FIRST
    assert (await keys.opening(MINE, FIRST, None)).id == FIRST
    assert rows.asked == 2, "the database is not asked for each payload while it is away"
    clock.now += 10
    with pytest.raises(Unavailable):
        await keys.sealing(MINE)


async def test_a_key_that_nobody_knows_or_that_was_copied_from_another_row_is_said(keys, rows) -> None:
    with pytest.raises(Unavailable, match="no payload key"):
        await keys.opening(MINE, SECOND, None)
    rows.make(SECOND, context=wrapping(MINE, FIRST))
    keys.forget(MINE)
    with pytest.raises(Unavailable, match="saved for another"):
        await keys.opening(MINE, SECOND, None)
