"""The links by which people answer approvals without a login, and the marks that stand for them in a run.

A link's token names workspace, approval and approver and is signed; it opens the approval for whoever has it. A run
keeps its history, and shows it to many, so it only ever sees a mark, which is signed as well but opens nothing. Where
an action sends a mark the link takes its place. Nobody else can make a mark: what somebody writes into an event or a
form, to have it sent back as a link, stays what it was.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID, uuid5

from pydantic import SecretStr

from app.json import Json, JsonObject
from app.security.signing import SIZE, Signer
from app.settings import Settings

_WHO = 8
_MARK_SIGNATURE = 24
_MARK = "holdfast-approval-link."
_MARKED = re.compile(re.escape(_MARK) + r"([A-Za-z0-9_-]{64})")
"""An id, who, and a signature: 48 bytes are 64 characters."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token names, once its signature is found to be ours. `who` is the digest of an approver."""

    workspace_id: UUID
    approval_id: UUID
    who: bytes

    def approver(self, approvers: Sequence[str]) -> str | None:
        """Whom of those who are asked the link was made for; an empty text where it is nobody's in particular.

        None when they are others by now: what one was sent must not speak for another.
        """
        if not approvers:
            return "" if self.who == _who(None) else None
        return next((each for each in approvers if _who(each) == self.who), None)


def id_of(run_id: UUID, path: str) -> UUID:
    """The id of the approval that the step at this path asks for, however often it asks."""
    return uuid5(run_id, path)


def marks(settings: Settings, workspace_id: UUID, approval_id: UUID, approvers: Sequence[str]) -> list[JsonObject]:
    """`{approver, link}` for each who is asked, with a mark for a link. None at all without an encryption key."""
    signer = _signer(settings.encryption_keys, "approval mark")
    if not signer:
        return []
    found: list[JsonObject] = []
    for approver in approvers or (None,):
        part = approval_id.bytes + _who(approver)
        signature = signer.sign(workspace_id.bytes + part)[:_MARK_SIGNATURE]
        found.append({"approver": approver, "link": _MARK + _encode(part + signature)})
    return found


def links(settings: Settings, workspace_id: UUID, approval_id: UUID, approvers: Sequence[str]) -> list[JsonObject]:
    """`{approver, link}` for each who is asked. None at all without an encryption key."""
    if not settings.encryption_keys:
        return []
    return [
        {"approver": approver, "link": _link(settings, workspace_id, approval_id.bytes + _who(approver))}
        for approver in approvers or (None,)
    ]


class Links:
    """The links that one attempt of an action sends in place of marks, and the way back for what it gets in answer."""

    def __init__(self, settings: Settings, workspace_id: UUID) -> None:
        self._settings = settings
        self._workspace_id = workspace_id
        self._marks: dict[str, str] = {}
        """By link, and by the token in it: providers write an address in many ways."""

    def linked(self, value: Json) -> Json:
        """The value with a link in place of every mark of this workspace; the value itself where there is none."""
        if isinstance(value, str):
            return _MARKED.sub(self._in_place_of, value) if _MARK in value else value
        if isinstance(value, list):
            return [self.linked(part) for part in value]
        if isinstance(value, dict):
            return {name: self.linked(part) for name, part in value.items()}
        return value

    def marked(self, value: Json) -> Json:
        """The value with the marks back in place of the links that were sent: a provider may repeat what it was told,
        and nothing that opens an approval is kept."""
        if not self._marks:
            return value
        if isinstance(value, str):
            for link, mark in self._marks.items():
                value = value.replace(link, mark)
            return value
        if isinstance(value, list):
            return [self.marked(part) for part in value]
        if isinstance(value, dict):
            return {self.marked(name): self.marked(part) for name, part in value.items()}
        return value

    def _in_place_of(self, found: re.Match[str]) -> str:
        data = base64.urlsafe_b64decode(found[1])
        part, signature = data[:-_MARK_SIGNATURE], data[-_MARK_SIGNATURE:]
        signer = _signer(self._settings.encryption_keys, "approval mark")
        if not signer.is_signed(self._workspace_id.bytes + part, signature, size=_MARK_SIGNATURE):
            return found[0]
        link = _link(self._settings, self._workspace_id, part)
        self._marks[link] = self._marks[link.rpartition("/")[2]] = found[0]
        return link


def open_token(settings: Settings, token: str) -> Opened | None:
    """What a token of ours names; None for any other text."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    part, signature = data[:-SIZE], data[-SIZE:]
    if len(part) != 32 + _WHO or not _signer(settings.encryption_keys, "approval link").is_signed(part, signature):
        return None
    return Opened(UUID(bytes=part[:16]), UUID(bytes=part[16:32]), part[32:])


def _link(settings: Settings, workspace_id: UUID, part: bytes) -> str:
    named = workspace_id.bytes + part
    token = _encode(named + _signer(settings.encryption_keys, "approval link").sign(named))
    return f"{settings.resolved_public_url}/approvals/{token}"


def _who(approver: str | None) -> bytes:
    return bytes(_WHO) if approver is None else hashlib.sha256(approver.encode()).digest()[:_WHO]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@lru_cache(maxsize=16)
def _signer(keys: tuple[SecretStr, ...], purpose: str) -> Signer:
    return Signer(keys, purpose)
