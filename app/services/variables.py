"""A workspace's variables: making, reading, changing, deleting. A secret one's value goes in and never comes out; it is
encrypted for this variable of this workspace before it reaches the database. How runs get them is `workspace_values`'s.
"""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StrictBool, StringConstraints
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Variable
from app.definition.problems import Problem
from app.json import Json, JsonObject, json_size
from app.security.credentials import NoEncryptionKey
from app.services import audit
from app.services.audit_facts import of_variable
from app.services.errors import Conflict, Invalid, NotFound, Unavailable
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.validation import validated
from app.services.variable_usage import in_use
from app.services.workspace_values import NAME, context
from app.store import variables as store

LARGEST_VALUE = 16 * 1024
"""Bytes of a value as JSON: those that a workflow uses travel with each of its runs."""
SHORTEST_SECRET = 6
"""Characters: a shorter text could not be told from others where it has to be hidden."""

Name = Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
Description = Annotated[str, StringConstraints(max_length=4000)]


class _New(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    value: Json
    is_secret: StrictBool = False
    description: Description = ""


class _Changes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Json = None
    is_secret: StrictBool = False
    description: Description = ""


async def create(platform: Platform, workspace_id: UUID, given: JsonObject) -> Variable:
    """A new variable of `{name, value, is_secret, description}`.

    Raises `Invalid` with all problems, `Conflict` (`variable_name_taken`) or `Unavailable` (`no_encryption_key`).
    """
    new = validated(_New, given, code="invalid_variable", subject="the variable")
    row = Variable(workspace_id=workspace_id, name=new.name, description=new.description)
    _put(platform, row, new.value, is_secret=new.is_secret)
    try:
        async with platform.database.transaction(workspace_id) as session:
            session.add(row)
            await audit.note(session, "variable.create", row.name, row.name, after=of_variable(row))
    except IntegrityError as error:
        raise Conflict(
            "variable_name_taken", f"There is a variable {new.name!r} already: change it, or choose another name."
        ) from error
    return row


async def list_(
    platform: Platform, workspace_id: UUID, *, limit: int = 50, cursor: str | None = None
) -> Page[Variable]:
    """The workspace's variables by name."""
    after = decode_cursor(cursor, lambda key: plain_text(key["name"]))
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(session, workspace_id, after=after, limit=limit + 1)
    return page_of(found, limit, lambda row: {"name": row.name})


async def get(platform: Platform, workspace_id: UUID, name: str) -> Variable:
    """The variable. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return await _found(session, workspace_id, name)


async def update(platform: Platform, workspace_id: UUID, name: str, changes: JsonObject) -> Variable:
    """Change the fields named: `value`, `is_secret`, `description`. What was secret becomes plain, and the other way
    round, with a new value only. Raises as `create` does, or `NotFound`."""
    change = validated(_Changes, changes, code="invalid_variable", subject="the variable")
    async with platform.database.transaction(workspace_id) as session:
        row = await _found(session, workspace_id, name, lock=True)
        before = of_variable(row)
        is_secret = change.is_secret if "is_secret" in change.model_fields_set else row.is_secret
        if "value" in change.model_fields_set:
            _put(platform, row, change.value, is_secret=is_secret)
        elif is_secret != row.is_secret:
            raise _invalid("value", "is_secret changes with a new value only", "give the value as well")
        if "description" in change.model_fields_set:
            row.description = change.description
        row.updated_at = func.now()
        after = of_variable(row)
        if row.is_secret and "value" in change.model_fields_set:
            after["replaced"] = True
        await audit.note(session, "variable.update", name, name, before=before, after=after)
        return row


async def delete(platform: Platform, workspace_id: UUID, name: str, *, force: bool = False) -> None:
    """Delete it. Raises `NotFound`, and `Conflict` (`variable_in_use`) while workflows use it; with `force` that is no
    hindrance, and steps that use a secret fail from their next attempt on."""
    async with platform.database.transaction(workspace_id) as session:
        row = await _found(session, workspace_id, name, lock=True)
        refusal = None if force else await in_use(session, row)
        if refusal is not None:
            raise refusal
        await session.delete(row)
        await audit.note(session, "variable.delete", name, name, before=of_variable(row))


def _put(platform: Platform, row: Variable, value: Json, *, is_secret: bool) -> None:
    if json_size(value) > LARGEST_VALUE:
        raise _invalid("value", f"a value has at most {LARGEST_VALUE:,} bytes")
    row.is_secret, row.value, row.secret = is_secret, None if is_secret else value, None
    if not is_secret:
        return
    if not isinstance(value, str) or len(value) < SHORTEST_SECRET:
        raise _invalid("value", f"a secret is a text of at least {SHORTEST_SECRET} characters")
    try:
        row.secret = platform.keyring.encrypt({"value": value}, context=context(row.workspace_id, row.name))
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"A secret cannot be kept: {error}.") from error


def _invalid(field: str, message: str, hint: str = "") -> Invalid:
    return Invalid("invalid_variable", f"The variable cannot be taken: {message}.", [Problem(field, message, hint)])


async def _found(session: AsyncSession, workspace_id: UUID, name: str, *, lock: bool = False) -> Variable:
    row = await store.find(session, workspace_id, name, lock=lock)
    if row is None:
        raise NotFound("variable_not_found", "There is no such variable.")
    return row
