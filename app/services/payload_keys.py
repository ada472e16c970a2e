"""The keys a workspace's payloads in Temporal are encrypted with: making, listing, deleting. The newest one encrypts,
older ones still open what they wrote. A deleted key is gone: nothing it encrypted can be read any more, by anybody.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from uuid_utils.compat import uuid7

from app.db.models import PayloadKey
from app.security.credentials import NoEncryptionKey
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.payload_keyring import wrapping
from app.services.platform import Platform
from app.store import payload_keys as store

MOST_KEYS = 100
"""Keys of a workspace that are not deleted."""
LAG = timedelta(minutes=1)
"""How long a process may still encrypt with a key after a newer one was made."""
COUNTED_RUNS = 1000


async def create(platform: Platform, workspace_id: UUID, *, created_by: str) -> PayloadKey:
    """A new key, with which all processes encrypt within a minute.

    Raises `Conflict` (`payload_encryption_off`, `too_many_payload_keys`) or `Unavailable` (`no_encryption_key`).
    """
    if platform.settings.payload_encryption == "off":
        raise Conflict(
            "payload_encryption_off",
            "This installation does not encrypt payloads: set HOLDFAST_PAYLOAD_ENCRYPTION=on for API and workers.",
        )
    row = PayloadKey(workspace_id=workspace_id, id=uuid7(), created_by=created_by)
    secret = {"secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    try:
        row.wrapped = platform.keyring.encrypt(secret, context=wrapping(workspace_id, row.id))
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"A payload key cannot be kept: {error}.") from error
    async with platform.database.transaction(workspace_id) as session:
        older = [key for key in await store.list_(session, workspace_id, lock=True) if key.deleted_at is None]
        if len(older) >= MOST_KEYS:
            raise Conflict("too_many_payload_keys", f"There are {MOST_KEYS} keys already: delete one that is retired.")
        for key in older:
            key.retired_at = key.retired_at or func.now()
        session.add(row)
    platform.payload_keys.forget(workspace_id)
    return row


async def list_(platform: Platform, workspace_id: UUID) -> Sequence[PayloadKey]:
    """All keys there are and were, newest first."""
    async with platform.database.transaction(workspace_id) as session:
        return await store.list_(session, workspace_id)


async def delete(platform: Platform, workspace_id: UUID, key_id: UUID, *, end_runs: bool) -> None:
    """Destroy the key. Runs under way that need it fail as soon as they are to go on; the newest of the other keys
    encrypts from then on, and without any nothing is encrypted. A key that was deleted already stays so.

    Raises `NotFound`, or `Conflict` (`payload_key_in_use`) when there are such runs and `end_runs` is not said.
    """
    async with platform.database.transaction(workspace_id) as session:
        keys = await store.list_(session, workspace_id, lock=True)
        key = next((one for one in keys if one.id == key_id), None)
        if key is None:
            raise NotFound("payload_key_not_found", "There is no such payload key.")
        if key.deleted_at is not None:
            return
        if not end_runs:
            _refuse_in_use(await store.runs_under_way(session, key, lag=LAG, most=COUNTED_RUNS + 1))
        key.wrapped, key.deleted_at = None, func.now()
        rest = [one for one in keys if one.deleted_at is None and one is not key]
        if rest:
            rest[0].retired_at = None
    platform.payload_keys.forget(workspace_id)


def _refuse_in_use(runs: int) -> None:
    if runs:
        many = f"more than {COUNTED_RUNS:,} runs are" if runs > COUNTED_RUNS else f"{runs:,} run(s) are"
        raise Conflict(
            "payload_key_in_use",
            f"{many} under way that may need the key, and would fail without it: wait until they have ended, or say "
            "`?end_runs=true`.",
        )
