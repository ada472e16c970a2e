"""The request headers that change what a call does: `If-Match`, `Prefer`, `Idempotency-Key`. And `ETag`."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from app.definition.problems import Problem
from app.services.errors import Invalid

MAX_WAIT_SECONDS = 60
MAX_KEY_LENGTH = 255
OWN_KEY_PREFIXES = ("event:", "run:", "schedule:")

_ETAG = re.compile(r'"([\x21\x23-\x7e]*)"')
_WAIT = re.compile(r'wait\s*=\s*"?([0-9]+)"?', re.IGNORECASE)
NEVER = -1
"""A revision no resource has."""


async def if_match(
    value: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The `ETag` you read. If somebody changed the resource since, the answer is 412. Left out, the "
            "change is made whatever it was before.",
            json_schema_extra={"pattern": r'^\s*("[!#-~]*"|\*)\s*$'},
        ),
    ] = None,
) -> int | None:
    """The revision `If-Match` names; None where any will do (RFC 9110, 13.1.1). Raises `Invalid`."""
    if value is None or value.strip() == "*":
        return None
    found = _ETAG.fullmatch(value.strip())
    if found is None:
        raise _invalid("If-Match", 'takes one entity tag as `ETag` gave it, such as "3", or *')
    return int(found[1]) if found[1].isascii() and found[1].isdigit() and len(found[1]) < 10 else NEVER


async def prefer_wait(
    value: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description=f"`wait=N`: answer when the run has ended, after N seconds at the latest (at most "
            f"{MAX_WAIT_SECONDS}; RFC 7240).",
        ),
    ] = None,
) -> int | None:
    """Seconds the caller would wait. What cannot be read is no preference, as RFC 7240 asks."""
    for preference in (value or "").split(","):
        if found := _WAIT.fullmatch(preference.partition(";")[0].strip()):
            return min(int(found[1][:6]), MAX_WAIT_SECONDS)
    return None


async def idempotency_key(
    value: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="The same key starts the same run once: a repeat answers with the run that is there.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"},
        ),
    ] = None,
) -> str | None:
    """The key, 1 to 255 visible ASCII characters. Raises `Invalid`."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_KEY_LENGTH or not value.isascii() or not value.isprintable():
        raise _invalid("Idempotency-Key", f"takes 1 to {MAX_KEY_LENGTH} visible ASCII characters")
    for prefix in OWN_KEY_PREFIXES:
        if value.startswith(prefix):
            raise _invalid("Idempotency-Key", f"must not begin with {prefix!r}: those keys are Holdfast's own")
    return value


def set_etag(response: Response, revision: int) -> None:
    """Name the revision the answer shows."""
    response.headers["ETag"] = f'"{revision}"'


def _invalid(header: str, message: str) -> Invalid:
    return Invalid("invalid_request", f"{header} {message}.", [Problem(f"header.{header}", message)])


IfMatch = Annotated[int | None, Depends(if_match)]
PreferWait = Annotated[int | None, Depends(prefer_wait)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]
