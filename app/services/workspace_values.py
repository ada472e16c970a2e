"""A workspace's variables as runs get them: plain ones as they stand when a run begins, secret ones as marks.

A mark is signed, so that nobody else can make one: what somebody writes into an event, to have a secret sent in its
place, stays what it was. An attempt of an action asks for the values when it needs them, and what comes back from it is
kept without them.
"""

import base64
import re
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
_MARKED = re.compile(rf"{re.escape(_MARK)}({NAME})\.([A-Za-z0-9_-]{{32}})")
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


async def of_run(platform: Platform, workspace_id: UUID, version: Version) -> Values:
    """What a run of the version gets of the workspace's variables; nothing is asked where it uses none."""
    secret, plain = _used(version)
    values = Values()
    if secret and platform.settings.encryption_keys:
        keys = platform.settings.encryption_keys
        values["secrets"] = {name: mark(keys, workspace_id, name) for name in sorted(secret)}
    if plain:
        async with platform.database.transaction(workspace_id) as session:
            values["workspace_variables"] = await store.plain(session, workspace_id, plain)
    return values


def mark(keys: tuple[SecretStr, ...], workspace_id: UUID, name: str) -> str:
    """What stands for the secret of this name in the workspace's runs."""
    signature = _signer(keys).sign(workspace_id.bytes + name.encode())[:_SIGNATURE]
    return f"{_MARK}{name}.{base64.urlsafe_b64encode(signature).decode()}"


def without_marks(value: Json) -> Json:
    """The value as it may be shown: no mark in it."""
    if isinstance(value, str):
        return _MARKED.sub(HIDDEN, value) if _MARK in value else value
    if isinstance(value, list):
        return [without_marks(part) for part in value]
    if isinstance(value, dict):
        return {name: without_marks(part) for name, part in value.items()}
    return value


def without_marks_in(data: bytes) -> bytes:
    """The same for JSON that is written already. Whoever reads a mark could have the secret sent where they like."""
    return _MARKED_BYTES.sub(HIDDEN.encode(), data)


async def revealed(
    platform: Platform, workspace_id: UUID, value: Json, mask: Mask, given: frozenset[str] = frozenset()
) -> Json:
    """The value with the secrets in place of their marks, which the mask hides from now on. `given` are the run's own
    marks: of all texts of that form that nobody of this ring has signed, those alone were meant for secrets.

    Raises `NotFound` (`secret_missing`) for one that is not there or cannot be read, and `Unavailable`.
    """
    names: set[str] = set()
    for each in _marks_in(value):
        if _is_ours(platform, workspace_id, each):
            names.add(each[1])
        elif each[0] in given:
            raise NotFound("secret_missing", f"The secret {each[1]!r} {KEY_IS_GONE}")
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
    return _replaced(platform, workspace_id, value, found)


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


def _marks_in(value: Json) -> list[re.Match[str]]:
    """All that has the form of a mark, whoever wrote it."""
    if isinstance(value, str):
        return list(_MARKED.finditer(value)) if _MARK in value else []
    parts = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return [found for part in parts for found in _marks_in(part)]


def _replaced(platform: Platform, workspace_id: UUID, value: Json, secrets: dict[str, str]) -> Json:
    if isinstance(value, str):

        def put(found: re.Match[str]) -> str:
            return secrets[found[1]] if _is_ours(platform, workspace_id, found) else found[0]

        return _MARKED.sub(put, value) if _MARK in value else value
    if isinstance(value, list):
        return [_replaced(platform, workspace_id, part, secrets) for part in value]
    if isinstance(value, dict):
        return {name: _replaced(platform, workspace_id, part, secrets) for name, part in value.items()}
    return value


def _is_ours(platform: Platform, workspace_id: UUID, found: re.Match[str]) -> bool:
    part, signature = workspace_id.bytes + found[1].encode(), base64.urlsafe_b64decode(found[2])
    return _signer(platform.settings.encryption_keys).is_signed(part, signature, size=_SIGNATURE)


@lru_cache(maxsize=16)
def _signer(keys: tuple[SecretStr, ...]) -> Signer:
    return Signer(keys, "secret mark")
