"""The keys a workspace's payloads in Temporal are encrypted with: making, listing, deleting. The newest one encrypts,
older ones still open what they wrote. A deleted key is gone: nothing it encrypted can be read any more, by anybody. So
no key is deleted with which another process may still encrypt.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from uuid_utils.compat import uuid7

from app.db.models import PayloadKey
from app.definition.durations import format_moment
from app.security.credentials import NoEncryptionKey
from app.services import audit
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.payload_keyring import wrapping
from app.services.platform import Platform
from app.store import payload_keys as store

MOST_KEYS = 100
"""Keys of a workspace that are not deleted."""
LAG = timedelta(minutes=1)
"""How long a process may still encrypt with a key after it was retired: more than `payload_keyring.FRESH_SECONDS`."""
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
        await audit.note(session, "payload_key.create", row.id, created_by)
    platform.payload_keys.forget(workspace_id)
    return row


async def list_(platform: Platform, workspace_id: UUID) -> Sequence[PayloadKey]:
    """All keys there are and were, newest first."""
    async with platform.database.transaction(workspace_id) as session:
        return await store.list_(session, workspace_id)


async def delete(platform: Platform, workspace_id: UUID, key_id: UUID, *, end_runs: bool) -> None:
    """Destroy a key with which nobody encrypts any more. Runs under way that need it fail as soon as they are to go on.
    The last key there is, if it encrypts, is retired by this, and can be deleted a minute later. A key that was deleted
    already stays so.

    Raises `NotFound`, or `Conflict`: `payload_key_active` for the one that encrypts, beside others;
    `payload_key_retiring` until its minute is over; `payload_key_in_use` when there are such runs and `end_runs` is not
    said.
    """
    async with platform.database.transaction(workspace_id) as session:
        keys = await store.list_(session, workspace_id, lock=True)
        key = next((one for one in keys if one.id == key_id), None)
        if key is None:
            raise NotFound("payload_key_not_found", "There is no such payload key.")
        if key.deleted_at is not None:
            return
        now = await store.now(session)
        if key.retired_at is None:
            _refuse_beside_others(key, keys)
            key.retired_at = now
            await audit.note(session, "payload_key.retire", key_id, key.created_by)
        until = key.retired_at + LAG
        if deleted := until <= now:
            if not end_runs:
                _refuse_in_use(await store.runs_under_way(session, key, lag=LAG, most=COUNTED_RUNS + 1))
            key.wrapped, key.deleted_at = None, now
            await audit.note(session, "payload_key.delete", key_id, key.created_by, after={"end_runs": end_runs})
    platform.payload_keys.forget(workspace_id)
    if not deleted:
        # Not before that it is retired is committed.
        raise Conflict(
            "payload_key_retiring",
            "The key encrypts no more, but not every process knows that yet: what those encrypt meanwhile would be "
            f"lost. It can be deleted from {format_moment(until)} on.",
        )


def _refuse_beside_others(key: PayloadKey, keys: Sequence[PayloadKey]) -> None:
    if any(one.deleted_at is None and one is not key for one in keys):
        raise Conflict(
            "payload_key_active",
            "This key encrypts: make another one, which retires it, and delete it a minute later. To encrypt no more, "
            "delete the others first.",
        )


def _refuse_in_use(runs: int) -> None:
    if runs:
        many = f"more than {COUNTED_RUNS:,} runs are" if runs > COUNTED_RUNS else f"{runs:,} run(s) are"
        raise Conflict(
            "payload_key_in_use",
            f"{many} under way that may need the key, and would fail without it: wait until they have ended, or say "
            "`?end_runs=true`.",
        )
