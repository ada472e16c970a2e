"""How payloads are written for Temporal once they are bytes: compressed where it helps, encrypted where there is a key.

A payload that this made says how it is read: its encoding, and for an encrypted one the workspace and the key. What is
neither is left as it is, so that histories from before stay readable. Which workspace a payload belongs to is told by
the value itself (the input of a run), by a payload of the same run that was read before, or by whoever keeps the keys;
where keys are kept is not known here.
"""

import asyncio
import hashlib
import hmac
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from app.temporal import names

COMPRESSED = b"binary/zlib"
"""A payload of Temporal within zlib: what the codecs of Temporal's other SDKs write as well."""
ENCRYPTED = b"binary/encrypted"
COMPRESSED_FROM = 1024
"""Bytes of a payload from which it is compressed; smaller ones gain less than it takes."""
LARGEST_INFLATED = 64 * 1024 * 1024
"""Bytes a payload may have when it is read; the largest value of a run has a quarter of that."""
IN_A_THREAD_FROM = 128 * 1024
"""Bytes from which the work is done beside the event loop: some milliseconds."""

STORED = "holdfast-stored"
"""Metadata of values that are kept apart from some size on, see `payloads`."""
SIZE = "holdfast-size"
"""Metadata of values that may be kept apart: their bytes before they were compressed."""
WORKSPACE = "holdfast-workspace"
"""Metadata of a run's input and of everything encrypted: whose it is."""
KEY = "holdfast-key"
"""Metadata of what is encrypted: the id of the key."""
NEVER, CALL = b"never", b"call"
"""Values of `STORED` that local activities are given: those stay in the worker."""
_SIZED_FROM = 64 * 1024
_LEVEL = 1
_NONCE = 12
_PLAIN, _ZLIB = b"\x00", b"\x01"


class Unreadable(ValueError):
    """A payload that no key opens, or that is no payload of ours after all. The message holds no part of it."""


@dataclass(frozen=True, slots=True)
class PayloadKey:
    """A key of a workspace: AES-256-GCM. `secret` has 32 bytes."""

    workspace_id: UUID
    id: UUID
    secret: bytes = field(repr=False)

    def seal(self, plain: bytes) -> bytes:
        """Nonce and ciphertext. The same bytes give the same ciphertext: a task that is repeated writes what it wrote,
        and a large value is kept once. The nonce is drawn from the bytes by a keyed hash, so no two texts share one."""
        nonce = hmac.digest(self._derived(b"nonce"), plain, "sha256")[:_NONCE]
        return nonce + AESGCM(self._derived(b"cipher")).encrypt(nonce, plain, self._bound)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed with this key for this workspace. Raises `Unreadable`."""
        try:
            return AESGCM(self._derived(b"cipher")).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound)
        except (InvalidTag, ValueError):
            raise Unreadable("an encrypted payload was changed, or belongs to another key") from None

    @property
    def _bound(self) -> bytes:
        return b"holdfast payload " + self.workspace_id.bytes + self.id.bytes

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self.secret, b"holdfast payload " + purpose, hashlib.sha256)


class Keys(Protocol):
    """Where keys come from. All of it may look into a database, and raises its own errors while that is away."""

    async def sealing(self, workspace_id: UUID) -> PayloadKey | None:
        """The key that encrypts now; None where the workspace has none."""

    async def opening(self, workspace_id: UUID, key_id: UUID, run_id: UUID | None) -> PayloadKey:
        """The key of this id, for a payload of this run. Raises when it was deleted."""

    async def workspace_of(self, run_id: UUID) -> UUID | None:
        """Whose run it is; None for one that is not there."""

    def learn(self, run_id: UUID, workspace_id: UUID) -> None:
        """Whose run it is, so that nobody has to be asked."""


class Codec(PayloadCodec, WithSerializationContext):
    """Compresses, and with `keys` encrypts what belongs to runs; without, what is encrypted cannot be read."""

    def __init__(self, keys: Keys | None = None, *, encrypts: bool = False) -> None:
        """`encrypts`: whether new payloads are, where the workspace has a key. What is encrypted is read either way."""
        self._keys = keys
        self._encrypts = encrypts and keys is not None
        self._run_id: UUID | None = None
        self._is_local = False

    def with_context(self, context: SerializationContext) -> Self:
        """The codec for what the context names."""
        run_id, is_local = None, False
        if isinstance(context, ActivitySerializationContext):
            run_id, is_local = names.run_of(context.workflow_id), context.is_local
        elif isinstance(context, WorkflowSerializationContext):
            run_id = names.run_of(context.workflow_id)
        if run_id == self._run_id and is_local == self._is_local:
            return self
        made = type(self)(self._keys, encrypts=self._encrypts)
        made._run_id, made._is_local = run_id, is_local
        return made

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See the base class. Raises what `Keys` does."""
        if self._is_local and all(one.metadata.get(STORED) in (NEVER, CALL) for one in payloads):
            return list(payloads)
        key = await self._sealing(payloads) if self._encrypts else None
        keeps_hint = self._encrypts
        if sum(len(one.data) for one in payloads) < IN_A_THREAD_FROM:
            return [_encoded(one, key, keeps_hint=keeps_hint) for one in payloads]
        return await asyncio.to_thread(lambda: [_encoded(one, key, keeps_hint=keeps_hint) for one in payloads])

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See the base class. Raises `Unreadable` and what `Keys` does."""
        keys = [await self._opening(one) for one in payloads]
        if sum(len(one.data) for one in payloads) < IN_A_THREAD_FROM // 4:
            return [decoded(one, key) for one, key in zip(payloads, keys, strict=True)]
        return await asyncio.to_thread(lambda: [decoded(one, key) for one, key in zip(payloads, keys, strict=True)])

    async def _sealing(self, payloads: Sequence[Payload]) -> PayloadKey | None:
        """The key for these payloads. Only what belongs to a run holds what people gave; the rest holds ids."""
        if self._run_id is None or self._keys is None:
            return None
        workspace_id = self._learned(payloads) or await self._keys.workspace_of(self._run_id)
        return None if workspace_id is None else await self._keys.sealing(workspace_id)

    def _learned(self, payloads: Sequence[Payload]) -> UUID | None:
        for payload in payloads:
            if payload.metadata.get(WORKSPACE) and (found := owner(payload)) is not None:
                if self._run_id is not None and self._keys is not None:
                    self._keys.learn(self._run_id, found)
                return found
        return None

    async def _opening(self, payload: Payload) -> PayloadKey | None:
        encrypted = payload.metadata.get("encoding") == ENCRYPTED
        workspace_id = self._learned([payload]) if encrypted or self._encrypts else None
        if not encrypted:
            return None
        if self._keys is None or workspace_id is None:
            raise Unreadable("an encrypted payload comes to a process that has no keys")
        return await self._keys.opening(workspace_id, key_id(payload), self._run_id)


def owner(payload: Payload) -> UUID | None:
    """The workspace a payload says it is of."""
    try:
        return UUID(payload.metadata.get(WORKSPACE, b"").decode())
    except ValueError:
        return None


def key_id(payload: Payload) -> UUID:
    """The id of the key that an encrypted payload was written with. Raises `Unreadable`."""
    try:
        return UUID(payload.metadata.get(KEY, b"").decode())
    except ValueError:
        raise Unreadable("an encrypted payload does not say with which key") from None


def decoded(payload: Payload, key: PayloadKey | None, *, largest: int = LARGEST_INFLATED) -> Payload:
    """The payload as it was before; one that is neither compressed nor encrypted itself. Raises `Unreadable`."""
    encoding = payload.metadata.get("encoding")
    if encoding == COMPRESSED:
        return _parsed(_inflated(payload.data, largest))
    if encoding != ENCRYPTED or key is None:
        return payload
    plain = key.open(payload.data)
    return _parsed(_inflated(plain[1:], largest) if plain[:1] == _ZLIB else plain[1:])


def _encoded(payload: Payload, key: PayloadKey | None, *, keeps_hint: bool) -> Payload:
    if key is None and not keeps_hint and WORKSPACE in payload.metadata:
        payload = _without_hint(payload)
    if key is None and len(payload.data) < COMPRESSED_FROM:
        return payload
    plain = payload.SerializeToString(deterministic=True)
    packed = zlib.compress(plain, _LEVEL) if len(plain) >= COMPRESSED_FROM else plain
    is_smaller = len(packed) < len(plain)
    metadata = {name: payload.metadata[name] for name in (STORED, WORKSPACE) if name in payload.metadata}
    if len(plain) >= _SIZED_FROM:
        metadata[SIZE] = str(len(plain)).encode()
    if key is not None:
        metadata |= {"encoding": ENCRYPTED, WORKSPACE: str(key.workspace_id).encode(), KEY: str(key.id).encode()}
        return Payload(metadata=metadata, data=key.seal(_ZLIB + packed if is_smaller else _PLAIN + plain))
    if not is_smaller:
        return payload
    return Payload(metadata={**metadata, "encoding": COMPRESSED}, data=packed)


def _without_hint(payload: Payload) -> Payload:
    bare = Payload()
    bare.CopyFrom(payload)
    del bare.metadata[WORKSPACE]
    return bare


def _inflated(data: bytes, largest: int) -> bytes:
    """Never more than `largest` bytes, however little they were packed into."""
    inflating = zlib.decompressobj()
    try:
        plain = inflating.decompress(data, largest)
    except zlib.error:
        raise Unreadable("a payload is not what its encoding says") from None
    if not inflating.eof:
        raise Unreadable(f"a payload is cut off, or has more than {largest:,} bytes when it is read")
    return plain


def _parsed(data: bytes) -> Payload:
    try:
        return Payload.FromString(data)
    except Exception:
        raise Unreadable("a payload is not what its encoding says") from None
