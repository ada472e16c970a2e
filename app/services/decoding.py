"""Payloads of Temporal as people may read them: decoded for somebody of the workspace they belong to.

What belongs to another workspace, what no key opens any more and what is no payload of ours stays as it is. What stands
for a secret is hidden. Work and sizes are bounded, whatever was sent.
"""

import asyncio
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload

from app.services.actors import Actor
from app.services.errors import TooLarge, Unavailable
from app.services.payload_keyring import PayloadKeyDeleted
from app.services.platform import Platform
from app.services.workspace_values import without_marks_in
from app.temporal.codec import ENCRYPTED, WORKSPACE, PayloadKey, Unreadable, decoded, key_id, owner

MOST_PAYLOADS = 2_000
LARGEST_DECODED = 16 * 1024 * 1024
"""Bytes of all payloads together when they are read."""
MOST_IN_VAIN = 4
"""How often as much may be unpacked of payloads that turn out too large or broken; the rest is not tried."""


async def decode(platform: Platform, actor: Actor, payloads: Sequence[Payload]) -> list[Payload]:
    """The payloads in their order. Raises `Forbidden`, `TooLarge` (`payloads_too_large`)."""
    actor.require("payloads:read")
    if len(payloads) > MOST_PAYLOADS:
        raise TooLarge("payloads_too_large", f"{len(payloads):,} payloads are more than {MOST_PAYLOADS:,}.")
    keys = [await _key(platform, actor, payload) for payload in payloads]
    return await asyncio.to_thread(_decoded, actor, payloads, keys)


async def _key(platform: Platform, actor: Actor, payload: Payload) -> PayloadKey | None:
    if payload.metadata.get("encoding") != ENCRYPTED or owner(payload) != actor.workspace_id:
        return None
    try:
        return await platform.payload_keys.opening(actor.workspace_id, key_id(payload), None)
    except (Unreadable, PayloadKeyDeleted):
        return None
    except Unavailable as error:
        if error.code == "payload_key_unreadable":
            return None
        raise


def _decoded(actor: Actor, payloads: Sequence[Payload], keys: Sequence[PayloadKey | None]) -> list[Payload]:
    left, in_vain, found = LARGEST_DECODED, MOST_IN_VAIN * LARGEST_DECODED, []
    for payload, key in zip(payloads, keys, strict=True):
        if in_vain < 0 or (payload.metadata.get(WORKSPACE) and owner(payload) != actor.workspace_id):
            found.append(payload)
            continue
        largest = max(left, 1)
        try:
            plain = decoded(payload, key, largest=largest)
        except Unreadable:
            # As large as all may be together, or broken: either way it is shown as it came.
            plain = payload
            in_vain -= largest
        left -= plain.ByteSize()
        if left < 0:
            raise TooLarge("payloads_too_large", f"They have more than {LARGEST_DECODED:,} bytes when they are read.")
        found.append(_shown(plain))
    return found


def _shown(payload: Payload) -> Payload:
    data = without_marks_in(payload.data)
    return payload if data == payload.data else Payload(metadata=payload.metadata, data=data)
