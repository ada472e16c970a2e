"""A workspace's variables as runs get them: plain ones as they stand when a run begins, secret ones as marks.

A mark is signed, so that nobody else can make one: what somebody writes into an event, to have a secret sent in its
place, stays what it was. It is the run's alone, so that copied into another run it is text like any other. An attempt
of an action asks for the values when it needs them, and what comes back from it is kept without them.
"""

import base64
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypedDict
from uuid import UUID

from pydantic import SecretStr

from app.db.models import Version
from app.definition.checks.secrets import used
from app.json import Json, JsonObject
from app.security.credentials import CredentialsError
from app.security.masking import HIDDEN, Mask
from app.security.signing import Signer
from app.services.errors import NotFound
from app.services.platform import Platform
from app.store import variables as store

NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
_SIGNATURE = 24
_MARK = "holdfast-secret."
_MARKED = re.compile(rf"{re.escape(_MARK)}([0-9a-f]{{32}})\.({NAME})\.([A-Za-z0-9_-]{{32}})")
_MARKED_BYTES = re.compile(_MARKED.pattern.encode())
_MOST_KNOWN = 1000
KEY_IS_GONE = (
    "cannot be told: the run began with a key that has left HOLDFAST_ENCRYPTION_KEYS. Put that key back, or start "
    "another run."
)

_known: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
"""What published definitions use, by their digests."""


class Values(TypedDict, total=False):
    """Fields of a run's input."""

    secrets: JsonObject
    workspace_variables: JsonObject


async def of_run(platform: Platform, workspace_id: UUID, run_id: UUID, version: Version) -> Values:
    """What the run of the version gets of the workspace's variables; nothing is asked where it uses none."""
    secret, plain = _used(version)
    values = Values()
    if secret and platform.settings.encryption_keys:
        keys = platform.settings.encryption_keys
        values["secrets"] = {name: mark(keys, workspace_id, run_id, name) for name in sorted(secret)}
    if plain:
        async with platform.database.transaction(workspace_id) as session:
            values["workspace_variables"] = await store.plain(session, workspace_id, plain)
    return values


def mark(keys: tuple[SecretStr, ...], workspace_id: UUID, run_id: UUID, name: str) -> str:
    """What stands for the secret of this name in the run."""
    signature = _signer(keys).sign(_signed(workspace_id, run_id, name))[:_SIGNATURE]
    return f"{_MARK}{run_id.hex}.{name}.{base64.urlsafe_b64encode(signature).decode()}"


def passed_on(platform: Platform, workspace_id: UUID, from_run: UUID, to_run: UUID, value: Json) -> Json:
    """The value with marks of the one run made anew for the other, which goes on with what the first one began."""

    def put(found: re.Match[str]) -> str:
        if not _is_of(from_run, found) or not _is_signed(platform, workspace_id, from_run, found):
            return found[0]
        return mark(platform.settings.encryption_keys, workspace_id, to_run, found[2])

    return _each_mark(value, put)


def without_marks(value: Json) -> Json:
    """The value as it may be shown: no mark in it."""
    return _each_mark(value, lambda _: HIDDEN)


def without_marks_in(data: bytes) -> bytes:
    """The same for JSON that is written already. Whoever reads a mark could have the secret sent where they like."""
    return _MARKED_BYTES.sub(HIDDEN.encode(), data)


async def revealed(platform: Platform, workspace_id: UUID, run_id: UUID, value: Json, mask: Mask) -> Json:
    """The value with the secrets in place of the run's marks, which the mask hides from now on.

    Raises `NotFound` (`secret_missing`) for one that is not there or cannot be read, and `Unavailable`.
    """
    names = _marked_names(platform, workspace_id, run_id, value)
    if not names:
        return value
    (rows,) = await platform.database.run(workspace_id, store.secrets(workspace_id, names))
    found: dict[str, str] = {}
    for name, ciphertext in rows:
        try:
            found[name] = platform.keyring.decrypt(ciphertext, context=context(workspace_id, name))["value"]
        except CredentialsError as error:
            raise NotFound("secret_missing", f"The secret {name!r} cannot be read: {error}.") from None
        mask.add(found[name])
    if missing := sorted(names - found.keys()):
        raise NotFound("secret_missing", f"There is no secret variable {missing[0]!r}: make it, or name another.")
    return _each_mark(value, lambda each: found[each[2]] if _is_of(run_id, each) else each[0])


def context(workspace_id: UUID, name: str) -> str:
    """What a secret is bound to: its ciphertext opens in no other row."""
    return f"variable:{workspace_id}:{name}"


def _used(version: Version) -> tuple[frozenset[str], frozenset[str]]:
    found = _known.get(version.digest)
    if found is None:
        while len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        found = _known[version.digest] = used(version.definition)
    return found


def _marked_names(platform: Platform, workspace_id: UUID, run_id: UUID, value: Json) -> set[str]:
    """Names of the run's secrets in the value. A mark of the run that is not signed had a key that is gone, or is made
    by somebody who knows the run: sent as it is, it would be taken for the secret."""
    names: set[str] = set()

    def see(found: re.Match[str]) -> str:
        if _is_of(run_id, found):
            if not _is_signed(platform, workspace_id, run_id, found):
                raise NotFound("secret_missing", f"The secret {found[2]!r} {KEY_IS_GONE}")
            names.add(found[2])
        return found[0]

    _each_mark(value, see)
    return names


def _each_mark(value: Json, put: Callable[[re.Match[str]], str]) -> Json:
    """The value with something else in place of each mark."""
    if isinstance(value, str):
        return _MARKED.sub(put, value) if _MARK in value else value
    if isinstance(value, list):
        return [_each_mark(part, put) for part in value]
    if isinstance(value, dict):
        return {name: _each_mark(part, put) for name, part in value.items()}
    return value


def _is_of(run_id: UUID, found: re.Match[str]) -> bool:
    return found[1] == run_id.hex


def _is_signed(platform: Platform, workspace_id: UUID, run_id: UUID, found: re.Match[str]) -> bool:
    part, signature = _signed(workspace_id, run_id, found[2]), base64.urlsafe_b64decode(found[3])
    return _signer(platform.settings.encryption_keys).is_signed(part, signature, size=_SIGNATURE)


def _signed(workspace_id: UUID, run_id: UUID, name: str) -> bytes:
    return workspace_id.bytes + run_id.bytes + name.encode()


@lru_cache(maxsize=16)
def _signer(keys: tuple[SecretStr, ...]) -> Signer:
    return Signer(keys, "secret mark")
