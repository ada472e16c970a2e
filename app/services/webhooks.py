"""Webhooks: addresses at which a workflow takes requests, and the secrets these are signed with.

Secrets are encrypted for this webhook of this workspace before they reach the database; they are answered when they are
made and never again. What comes in at an address is `receiving`'s subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import Version, Webhook, Workflow
from app.definition import durations
from app.definition.errors import DurationError
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid, Problem
from app.definition.triggers import WebhookTrigger
from app.json import JsonObject
from app.security import webhook_tokens
from app.security.credentials import CredentialsError, NoEncryptionKey
from app.services import audit, editing, plans
from app.services.audit_facts import of_webhook
from app.services.errors import Conflict, Invalid, NotFound, Unavailable
from app.services.paging import Page, decode_cursor, page_of
from app.services.platform import Platform
from app.services.validation import validated
from app.services.webhook_facts import context, trigger_at
from app.store import deliveries, versions, workflows
from app.store import webhooks as store

KEEP_OLD_FOR = "24h"
LONGEST_KEPT = timedelta(days=30)
DELETED_TOGETHER = 2000

Name = Annotated[str, StringConstraints(max_length=200)]
Secret = Annotated[str, StringConstraints(min_length=8, max_length=500, pattern=r"^[\x21-\x7e]+$")]


class _New(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    trigger: Annotated[int, Field(ge=0, le=100)] | None = None
    secret: Secret | None = None


class _Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    secret: Secret | None = None
    keep_old_for: str = KEEP_OLD_FOR


@dataclass(frozen=True, kw_only=True)
class View:
    """A webhook as its owner sees it. `secret` is there when it was made just now; `token` is None when the key ring
    cannot read it."""

    webhook: Webhook
    workflow: Workflow
    trigger: WebhookTrigger | None
    token: str | None = field(repr=False)
    secret: str | None = field(repr=False, default=None)

    @property
    def status(self) -> str:
        """active, disabled, or inactive: its workflow takes no deliveries at present."""
        if not self.webhook.enabled:
            return "disabled"
        return "active" if self.workflow.status == "active" and self.trigger is not None else "inactive"


async def create(platform: Platform, workspace_id: UUID, workflow_id: UUID, given: JsonObject) -> View:
    """A new address of the workflow: `name`, `trigger` (its place among the triggers; the first webhook trigger when
    left out), `secret` (made when left out).

    Raises `NotFound`, `Invalid` (`invalid_webhook`), `Conflict` (`no_webhook_trigger`), `Forbidden`
    (`plan_limit_reached`) and `Unavailable`.
    """
    new = validated(_New, given, code="invalid_webhook", subject="the webhook")
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
        definition = await _definition(session, workflow)
        position = _position(workflow, definition, new.trigger)
        await plans.allow_webhook(session, workspace_id)
        trigger = trigger_at(definition, position, digest=None)
        secret = _secret(new.secret, trigger)
        token = webhook_tokens.generate(workspace_id)
        row = Webhook(
            workspace_id=workspace_id,
            id=uuid7(),
            workflow_id=workflow_id,
            position=position,
            name=new.name,
            token_hash=webhook_tokens.digest(token),
        )
        row.secrets = _sealed(platform, row, {"token": token, "secret": secret})
        session.add(row)
        await audit.note(session, "webhook.create", row.id, _told(row, workflow), after=of_webhook(row))
    return View(webhook=row, workflow=workflow, trigger=trigger, token=token, secret=secret)


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    workflow_id: UUID | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[View]:
    """Webhooks in the order they were made, of one workflow or of all. Raises `NotFound` for an unknown workflow."""
    after = decode_cursor(cursor, UUID)
    async with platform.database.transaction(workspace_id) as session:
        if workflow_id is not None:
            editing.there(await workflows.find(session, workspace_id, workflow_id))
        found = await store.list_(session, workspace_id, workflow_id=workflow_id, after=after, limit=limit + 1)
    return page_of([_view(platform, *row) for row in found], limit, lambda view: str(view.webhook.id))


async def get(platform: Platform, workspace_id: UUID, webhook_id: UUID) -> View:
    """One webhook. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return await _found(platform, session, workspace_id, webhook_id)


async def update(platform: Platform, workspace_id: UUID, webhook_id: UUID, changes: JsonObject) -> View:
    """Change the `name`, or whether it is `enabled`. Raises `NotFound`, `Invalid`."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.locked(session, workspace_id, webhook_id))
        before = of_webhook(row)
        if changes.get("name") is not None:
            row.name = validated(_New, {"name": changes["name"]}, code="invalid_webhook", subject="the webhook").name
        if changes.get("enabled") is not None:
            row.enabled = changes["enabled"]
        _touch(row)
        await session.flush()
        view = await _found(platform, session, workspace_id, webhook_id)
        name = _told(row, view.workflow)
        await audit.note(session, "webhook.update", webhook_id, name, before=before, after=of_webhook(row))
    platform.hooks.forget(row.token_hash)
    return view


async def rotate(platform: Platform, workspace_id: UUID, webhook_id: UUID, given: JsonObject) -> View:
    """Give it a new `secret`; the one it had goes on being good for `keep_old_for`, the one before that ends now.

    Raises `NotFound`, `Invalid`, `Conflict` (`webhook_unreadable`) and `Unavailable`.
    """
    rotation = validated(_Rotation, given, code="invalid_webhook", subject="the webhook")
    kept_for = _kept_for(rotation.keep_old_for)
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.locked(session, workspace_id, webhook_id))
        before = await _found(platform, session, workspace_id, webhook_id)
        secret = _secret(rotation.secret, before.trigger)
        try:
            sealed = platform.keyring.decrypt(row.secrets, context=context(workspace_id, webhook_id))
        except CredentialsError as error:
            raise Conflict(
                "webhook_unreadable", f"The webhook cannot be read: {error}. Delete it and make another."
            ) from error
        row.secrets = _sealed(platform, row, {"token": sealed["token"], "secret": secret, "previous": sealed["secret"]})
        row.previous_until = datetime.now(UTC) + kept_for
        _touch(row)
        await session.flush()
        view = await _found(platform, session, workspace_id, webhook_id)
        after = {"previous_secret_until": row.previous_until.isoformat()}
        await audit.note(session, "webhook.rotate", webhook_id, _told(row, view.workflow), after=after)
    platform.hooks.forget(row.token_hash)
    return View(webhook=view.webhook, workflow=view.workflow, trigger=view.trigger, token=view.token, secret=secret)


async def delete(platform: Platform, workspace_id: UUID, webhook_id: UUID) -> None:
    """Delete it with the log of its deliveries; what they started stays. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.locked(session, workspace_id, webhook_id))
        workflow, before = (await _found(platform, session, workspace_id, webhook_id)).workflow, of_webhook(row)
        row.enabled = False
        _touch(row)
        await audit.note(
            session, "webhook.update", webhook_id, _told(row, workflow), before=before, after=of_webhook(row)
        )
    platform.hooks.forget(row.token_hash)
    # A log of very many is not deleted in one statement.
    some = deliveries.delete_of(workspace_id, webhook_id, DELETED_TOGETHER)
    while (await platform.database.run(workspace_id, some))[0]:
        pass
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.locked(session, workspace_id, webhook_id))
        await session.delete(row)
        await audit.note(session, "webhook.delete", webhook_id, _told(row, workflow), before=of_webhook(row))


def _told(row: Webhook, workflow: Workflow) -> str:
    """How the audit log calls it: by its name, else by its workflow's."""
    return row.name or workflow.name


def _touch(row: Webhook) -> None:
    row.revision += 1
    row.updated_at = func.now()


async def _definition(session: AsyncSession, workflow: Workflow) -> JsonObject:
    """That of the version that runs, or the draft where none does."""
    if workflow.active_version is None:
        return workflow.draft
    version = await versions.find(session, workflow.workspace_id, workflow.id, workflow.active_version)
    return workflow.draft if version is None else version.definition


def _position(workflow: Workflow, definition: JsonObject, wanted: int | None) -> int:
    try:
        triggers: Sequence[object] = parse(definition).all_triggers
    except DefinitionInvalid as error:
        raise Conflict(
            "no_webhook_trigger", f'The draft of "{workflow.name}" cannot be read: mend it first ({error}).'
        ) from None
    found = [place for place, trigger in enumerate(triggers) if isinstance(trigger, WebhookTrigger)]
    if not found:
        raise Conflict(
            "no_webhook_trigger",
            f'The workflow "{workflow.name}" has no webhook trigger: give it one, publish it, then make its address.',
        )
    if wanted is None:
        return found[0]
    if wanted not in found:
        hint = f"webhook triggers stand at {', '.join(map(str, found))}"
        problem = Problem("trigger", f"there is no webhook trigger at {wanted}", hint)
        raise Invalid("invalid_webhook", f"trigger: {problem.message}; {hint}.", [problem])
    return wanted


def _secret(given: str | None, trigger: WebhookTrigger | None) -> str:
    """The secret given, which must be of use, or a new one."""
    if given is None:
        return webhook_tokens.generate_secret()
    if trigger is not None and trigger.scheme == "standard_webhooks" and webhook_tokens.key_of(given) is None:
        hint = "write whsec_ and base64, or leave it out to have one made"
        problem = Problem("secret", "is no secret of Standard Webhooks", hint)
        raise Invalid("invalid_webhook", f"secret: {problem.message}; {hint}.", [problem])
    return given


def _kept_for(text: str) -> timedelta:
    try:
        length = durations.parse(text)
    except DurationError as error:
        problem = Problem("keep_old_for", error.message, error.hint)
    else:
        if length <= LONGEST_KEPT:
            return length
        problem = Problem("keep_old_for", "is longer than 30d", "write 0s to 30d")
    raise Invalid("invalid_webhook", f"keep_old_for: {problem.message}; {problem.hint}.", [problem])


def _sealed(platform: Platform, row: Webhook, secrets: JsonObject) -> str:
    try:
        return platform.keyring.encrypt(secrets, context=context(row.workspace_id, row.id))
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"Secrets cannot be kept: {error}.") from error


async def _found(platform: Platform, session: AsyncSession, workspace_id: UUID, webhook_id: UUID) -> View:
    found = await store.list_(session, workspace_id, webhook_id=webhook_id, limit=1)
    if not found:
        raise unknown()
    return _view(platform, *found[0])


def _view(platform: Platform, webhook: Webhook, workflow: Workflow, version: Version | None) -> View:
    try:
        sealed = platform.keyring.decrypt(webhook.secrets, context=context(webhook.workspace_id, webhook.id))
    except CredentialsError:
        sealed = {"token": None}
    definition, digest = (workflow.draft, None) if version is None else (version.definition, version.digest)
    return View(
        webhook=webhook,
        workflow=workflow,
        trigger=trigger_at(definition, webhook.position, digest=digest),
        token=sealed["token"],
    )


def _there(row: Webhook | None) -> Webhook:
    if row is None:
        raise unknown()
    return row


def unknown() -> NotFound:
    """There is no such webhook in the workspace."""
    return NotFound("webhook_not_found", "There is no such webhook.")
