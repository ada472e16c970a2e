"""Keeps values that are too large for Temporal in PostgreSQL, beside the run they belong to and as long as it.

Temporal's history holds a reference: workspace, run and SHA-256 of the value. Named by what is in it, a value is kept
once however often a task is repeated, and no reference ever leads to another value than the one it was made for. Which
values come here is decided in `app.temporal.payloads`.
"""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import psycopg
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from app.db.engine import Database
from app.services.errors import Unavailable
from app.services.expiring import Expiring
from app.store import payloads as store
from app.store.sweeps import Sweeps
from app.temporal import names
from app.temporal.codec import COMPRESSED, ENCRYPTED

PATIENCE_SECONDS = 4.0
"""How long a database that is away is waited for. A workflow task has ten seconds; after a failure it comes again."""
_COMPRESSION = 1
"""Of zlib: a journal of 5 MB becomes a tenth of it in 13 ms; the best level takes five times as long for little."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


class RunGone(RuntimeError):
    """A value was to be kept for a run that was deleted; the task that wanted it is repeated until it is terminated."""


class PayloadGone(RuntimeError):
    """A reference leads nowhere: the run was purged, or the database is another one than the value was kept in."""


@dataclass(frozen=True, slots=True)
class _Reference:
    workspace_id: UUID
    run_id: UUID
    digest: str

    @classmethod
    def of(cls, claim: StorageDriverClaim) -> "_Reference":
        data: Mapping[str, str] = claim.claim_data
        return cls(UUID(data["workspace_id"]), UUID(data["run_id"]), data["digest"])

    def claim(self) -> StorageDriverClaim:
        ids = {"workspace_id": str(self.workspace_id), "run_id": str(self.run_id)}
        return StorageDriverClaim(claim_data={**ids, "digest": self.digest})


class PayloadStorage(StorageDriver):
    """Temporal's driver over the table `payloads`.

    Raises `Unavailable` when the database stays away, `RunGone` and `PayloadGone`. All of them make Temporal repeat the
    workflow task, none of them fails a run. What is kept is what the codec made of a value: compressed, and encrypted
    where its workspace has a key.
    """

    def __init__(self, database: Database, sweeps: Sweeps) -> None:
        """Both raise `Unavailable` while the database cannot be reached."""
        self._database = database
        self._sweeps = sweeps
        self._workspaces: Expiring[UUID, UUID] = Expiring(seconds=3600, size=10_000)

    def name(self) -> str:
        """Stands in every reference, so it can never change."""
        return "holdfast"

    def type(self) -> str:
        """What Temporal is told of where values are."""
        return "holdfast.postgresql"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Keep the values for the run that is the target; all of them or none."""
        run_id = _run_of(context)
        packed = await asyncio.to_thread(lambda: [_packed(payload) for payload in payloads])
        return await _patiently(lambda: self._keep(run_id, packed))

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """The values as they were given, in the order of the claims."""
        references = [_Reference.of(claim) for claim in claims]
        found = await _patiently(lambda: self._kept(references))
        missing = next((each for each in references if each not in found), None)
        if missing is not None:
            raise PayloadGone(f"a value of run {missing.run_id} is gone: the run was purged ({missing.digest})")
        return await asyncio.to_thread(lambda: [_unpacked(found[each]) for each in references])

    async def _keep(self, run_id: UUID, packed: Sequence[tuple[str, bytes]]) -> list[StorageDriverClaim]:
        workspace_id = await self._workspace_of(run_id)
        try:
            await self._database.run(
                workspace_id, *(store.keep(workspace_id, run_id, digest, data) for digest, data in packed)
            )
        except psycopg.errors.ForeignKeyViolation:
            raise _gone(run_id) from None
        return [_Reference(workspace_id, run_id, digest).claim() for digest, _ in packed]

    async def _kept(self, references: Sequence[_Reference]) -> dict[_Reference, bytes]:
        found: dict[_Reference, bytes] = {}
        for workspace_id in {each.workspace_id for each in references}:
            wanted = [each for each in references if each.workspace_id == workspace_id]
            statement = store.kept(workspace_id, [each.run_id for each in wanted], [each.digest for each in wanted])
            (rows,) = await self._database.run(workspace_id, statement)
            found |= {_Reference(workspace_id, run_id, digest): data for run_id, digest, data in rows}
        return found

    async def _workspace_of(self, run_id: UUID) -> UUID:
        known = self._workspaces.get(run_id)
        if known is not None:
            return known
        found = await self._sweeps.workspace_of_run(run_id)
        if found is None:
            raise _gone(run_id)
        self._workspaces.put(run_id, found)
        return found


def _run_of(context: StorageDriverStoreContext) -> UUID:
    target = context.target
    run_id = names.run_of(target.id) if isinstance(target, StorageDriverWorkflowInfo) else None
    assert run_id is not None, "only values of runs are given to this driver"
    return run_id


def _gone(run_id: UUID) -> RunGone:
    return RunGone(f"there is no run {run_id} (any more) to keep a value for")


def _packed(payload: Payload) -> tuple[str, bytes]:
    """The value's name and its bytes as they are kept."""
    data = payload.SerializeToString(deterministic=True)
    is_packed = payload.metadata.get("encoding") in (COMPRESSED, ENCRYPTED)
    return hashlib.sha256(data).hexdigest(), zlib.compress(data, 0 if is_packed else _COMPRESSION)


def _unpacked(data: bytes) -> Payload:
    return Payload.FromString(zlib.decompress(data))


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, tried again while the database is away; raises `Unavailable` when that takes too long."""
    pause = 0.05
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await call()
                except Unavailable as error:
                    _log.warning("a large value waits for the database: %s", error.detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
    except TimeoutError:
        detail = f"The database did not keep or give a large value within {PATIENCE_SECONDS:g} seconds."
        raise Unavailable("database_unavailable", detail) from None
