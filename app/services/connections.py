"""Connections: keeping what a provider needs, and handing it to the action that uses it.

Credentials are encrypted for this connection of this workspace before they reach the database. They come out in
`resolve` alone, which only activities call; no answer, error or log holds any part of them.
"""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.catalog.connection_base import fits
from app.catalog.connections import CONNECTION_KINDS, ConnectionKind
from app.db.models import Connection
from app.definition.problems import Problem
from app.json import JsonObject
from app.security.credentials import CredentialsError, NoEncryptionKey
from app.services import audit, oauth_state, plans
from app.services.audit_facts import of_connection
from app.services.connection_usage import in_use, named_by_workflows, usage_of
from app.services.errors import Conflict, Invalid, NotFound, Unavailable
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.validation import validated
from app.store import connections

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class _New(BaseModel):
    """What a connection is made from. `credentials` None: the kind must do without."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    name: Name
    description: Annotated[str, StringConstraints(max_length=4000)] = ""
    config: JsonObject = {}
    credentials: JsonObject | None = None


class _Changes(BaseModel):
    """What may be changed; the kind may not."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    description: Annotated[str, StringConstraints(max_length=4000)] = ""
    config: JsonObject = {}
    credentials: JsonObject | None = None


NO_CONNECTION = UUID(int=0)


@dataclass(frozen=True)
class ResolvedConnection:
    """What an action needs to reach its provider. `credentials` are plain: keep them in the process that uses them."""

    name: str
    kind: str
    config: JsonObject
    credentials: JsonObject = field(repr=False)
    id: UUID = NO_CONNECTION


async def create(
    platform: Platform,
    workspace_id: UUID,
    *,
    kind: str,
    name: str,
    description: str = "",
    config: JsonObject | None = None,
    credentials: JsonObject | None = None,
) -> Connection:
    """A new connection. Raises `Invalid` with all problems, `Conflict` (`connection_name_taken`), `Forbidden`
    (`plan_limit_reached`) or `Unavailable`."""
    given = {"kind": kind, "name": name, "description": description, "config": config or {}, "credentials": credentials}
    new = validated(_New, given, code="invalid_connection", subject="the connection")
    row = Connection(
        workspace_id=workspace_id, id=uuid7(), kind=new.kind, name=new.name, description=new.description, config={}
    )
    known = _kind(new.kind)
    row.config = _config(known, new.config)
    _put_credentials(platform, row, known, new.credentials)
    oauth_state.begin_anew(row, with_tokens=False)
    try:
        async with platform.database.transaction(workspace_id) as session:
            await plans.allow_connection(session, workspace_id)
            session.add(row)
            await audit.note(session, "connection.create", row.id, row.name, after=of_connection(row))
    except IntegrityError as error:
        raise _name_taken(new.name) from error
    return row


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    kind: str | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Connection]:
    """The workspace's connections by name."""
    after = decode_cursor(cursor, lambda key: plain_text(key["name"]))
    async with platform.database.transaction(workspace_id) as session:
        found = await connections.list_(session, workspace_id, kind=kind, status=status, after=after, limit=limit + 1)
    return page_of(found, limit, lambda row: {"name": row.name})


async def get(platform: Platform, workspace_id: UUID, connection_id: UUID) -> Connection:
    """The connection. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return await _found(session, workspace_id, connection_id)


async def update(platform: Platform, workspace_id: UUID, connection_id: UUID, changes: JsonObject) -> Connection:
    """Change the fields named: `name`, `description`, `config`, `credentials`.

    `config` is merged (RFC 7396: null removes a key); `credentials` are replaced as a whole, null removes them. Where
    credentials are sent changes together with them alone, and the name while no workflow has it (`Conflict`,
    `connection_in_use`). Raises as `create` does, or `NotFound`.
    """
    change = validated(_Changes, changes, code="invalid_connection", subject="the connection")
    try:
        async with platform.database.transaction(workspace_id) as session:
            row = await _found(session, workspace_id, connection_id, lock=True)
            await _keep_name(session, row, change)
            before, config = of_connection(row), row.config
            _change(platform, row, change)
            if oauth_state.is_other(row, config):
                await oauth_state.forget(session, row)
                oauth_state.begin_anew(row, with_tokens=False)
            elif change.model_fields_set & {"config", "credentials"}:
                oauth_state.begin_anew(row, with_tokens=await oauth_state.has_tokens(session, row))
            row.updated_at = func.now()
            after = of_connection(row)
            if "credentials" in changes:
                after["credentials"]["replaced"] = True
            await audit.note(session, "connection.update", row.id, row.name, before=before, after=after)
            return row
    except IntegrityError as error:
        raise _name_taken(change.name) from error


async def delete(platform: Platform, workspace_id: UUID, connection_id: UUID, *, force: bool = False) -> None:
    """Delete it with its credentials. Raises `NotFound`, and `Conflict` (`connection_in_use`) while something uses it;
    with `force` that is no hindrance, and steps that name it fail from their next attempt on."""
    async with platform.database.transaction(workspace_id) as session:
        row = await _found(session, workspace_id, connection_id, lock=True)
        refusal = None if force else in_use(row, await usage_of(session, row))
        if refusal is not None:
            raise refusal
        await session.delete(row)
        await audit.note(session, "connection.delete", row.id, row.name, before=of_connection(row))


async def resolve(platform: Platform, workspace_id: UUID, name: str, kind: str) -> ResolvedConnection:
    """The connection a step names, for an action that needs this kind.

    Raises `NotFound` (`connection_not_found`), or `Conflict` when it is of another kind (`connection_wrong_kind`) or
    its credentials cannot be read (`credentials_unreadable`).
    """
    async with platform.database.transaction(workspace_id) as session:
        row = await connections.named(session, workspace_id, name)
    if row is None:
        raise NotFound("connection_not_found", f"There is no connection named {name!r}: make one, or name another.")
    if not fits(row.kind, kind):
        raise Conflict(
            "connection_wrong_kind", f"The connection {name!r} is of kind {row.kind}; one of kind {kind} is needed."
        )
    return opened(platform, row)


def opened(platform: Platform, row: Connection) -> ResolvedConnection:
    """The connection with its credentials readable. Raises `Conflict` (`credentials_unreadable`)."""
    try:
        credentials = (
            {} if row.credentials is None else platform.keyring.decrypt(row.credentials, context=_context(row))
        )
    except CredentialsError as error:
        raise Conflict("credentials_unreadable", f"The connection {row.name!r} cannot be used: {error}.") from error
    return ResolvedConnection(row.name, row.kind, row.config, credentials, row.id)


async def note_use(platform: Platform, workspace_id: UUID, name: str, *, error: str | None) -> None:
    """Remember that it was used just now and how that ended, for people who look for what is broken."""
    async with platform.database.transaction(workspace_id) as session:
        await connections.note_use(session, workspace_id, name, error=error)


async def note_test(platform: Platform, workspace_id: UUID, connection_id: UUID, *, error: str | None) -> None:
    """Remember how a test ended; one that is gone by now is forgotten. Somebody has to authorize a connection that
    expired or was revoked, whatever else fails."""
    async with platform.database.transaction(workspace_id) as session:
        row = await connections.find(session, workspace_id, connection_id, lock=True)
        if row is not None:
            status = "active" if error is None else row.status if row.status in connections.AWAITING else "error"
            await connections.set_status(session, workspace_id, connection_id, status=status, error=error)


async def _keep_name(session: AsyncSession, row: Connection, change: _Changes) -> None:
    """Steps find it by its name: under another one they would fail."""
    if "name" not in change.model_fields_set or change.name == row.name:
        return
    refusal = named_by_workflows(row.name, await usage_of(session, row))
    if refusal is not None:
        raise refusal


def _change(platform: Platform, row: Connection, change: _Changes) -> None:
    known = _kind(row.kind)
    given = change.model_fields_set
    if "name" in given:
        row.name = change.name
    if "description" in given:
        row.description = change.description
    if "config" in given:
        merged = {**row.config, **change.config}
        config = _config(known, {name: value for name, value in merged.items() if value is not None})
        if row.credentials is not None and "credentials" not in given:
            _keep_destination(known, row.config, config)
        row.config = config
    if "credentials" in given:
        _put_credentials(platform, row, known, change.credentials)


def _keep_destination(kind: ConnectionKind, before: JsonObject, after: JsonObject) -> None:
    """Credentials are shown to nobody: who does not know them must not have them sent to a server of their own."""
    becomes = kind.config.model_validate(after).destination()
    try:
        was = kind.config.model_validate(before).destination()
    except ValidationError:
        # Kept before the kind asked for more: where they went is not known.
        was = {}
    hint = "give the credentials along with it, or null to remove them"
    problems = [
        Problem(f"config.{name}", "the credentials that are kept are not sent elsewhere", hint)
        for name, value in becomes.items()
        if value != was.get(name)
    ]
    if problems:
        fields = ", ".join(problem.path for problem in problems)
        raise Invalid("invalid_connection", f"The connection cannot be taken: {fields} changed, {hint}.", problems)


def _kind(kind: str) -> ConnectionKind:
    known = CONNECTION_KINDS.get(kind)
    if known is None:
        problem = Problem("kind", f"there is no kind {kind!r}", f"known kinds: {', '.join(sorted(CONNECTION_KINDS))}")
        raise Invalid("invalid_connection", f"The connection cannot be taken: {problem.message}.", [problem])
    return known


def _config(kind: ConnectionKind, config: JsonObject) -> JsonObject:
    read = validated(kind.config, config, code="invalid_connection", subject="the connection", root="config")
    return read.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _put_credentials(platform: Platform, row: Connection, kind: ConnectionKind, credentials: JsonObject | None) -> None:
    """Encrypt them into the row. A kind that cannot do without refuses None as it would refuse none given."""
    read = validated(
        kind.credentials, credentials or {}, code="invalid_connection", subject="the connection", root="credentials"
    )
    plain = read.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    if not plain:
        row.credentials, row.credential_fields = None, []
        return
    try:
        row.credentials = platform.keyring.encrypt(plain, context=_context(row))
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"Credentials cannot be kept: {error}.") from error
    row.credential_fields = sorted(plain)


def _context(row: Connection) -> str:
    return f"connection:{row.workspace_id}:{row.id}"


async def _found(session: AsyncSession, workspace_id: UUID, connection_id: UUID, *, lock: bool = False) -> Connection:
    row = await connections.find(session, workspace_id, connection_id, lock=lock)
    if row is None:
        raise NotFound("connection_not_found", "There is no such connection.")
    return row


def _name_taken(name: str) -> Conflict:
    return Conflict("connection_name_taken", f"There is a connection named {name!r} already: choose another name.")
