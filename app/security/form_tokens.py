"""The text that stands in a form's public address: how it is made and read. What a form is, is not known here.

It names the workspace (row-level security shows a workflow only to a transaction that does), the workflow and what the
form is called. It is neither signed nor stored: a form is public, its address stands on websites and in print for
years, and must outlive every change of keys. Nobody comes upon one by chance: both ids hold 74 random bits.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from uuid import UUID

_CALLED = 8


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What a well-formed token names, which says nothing about whether it is there."""

    workspace_id: UUID
    workflow_id: UUID
    called: bytes

    def is_for(self, form_id: str | None) -> bool:
        """Whether it is the form of this name; None is the one without a name."""
        return self.called == _called(form_id)


def make(workspace_id: UUID, workflow_id: UUID, form_id: str | None) -> str:
    """The token of a form; the same for as long as the form keeps its name."""
    return _encode(workspace_id.bytes + workflow_id.bytes + _called(form_id))


def read(token: str) -> ReadToken | None:
    """What a token names; None for what can be none of ours."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) != 32 + _CALLED or _encode(data) != token:
        return None
    return ReadToken(UUID(bytes=data[:16]), UUID(bytes=data[16:32]), data[32:])


def _called(form_id: str | None) -> bytes:
    return bytes(_CALLED) if form_id is None else hashlib.sha256(form_id.encode()).digest()[:_CALLED]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
