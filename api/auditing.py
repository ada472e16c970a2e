"""Who asks, for the audit log, as HTTP tells it; and which entries each operation leaves.

`LEAVES` is a table by the operation's id, so that no operation that changes something is forgotten: a test holds it
against `api/permissions.py`, and calls many of them.
"""

from types import MappingProxyType

from fastapi import Request

from api.clients import address_of
from api.openapi import operation_id
from app.security.permissions import Role
from app.services import audit
from app.services.actors import NO_WORKSPACE, Actor
from app.services.audit import Asking
from app.services.platform import Platform

LEAVES = MappingProxyType(
    {
        "workflows_create": ("workflow.create",),
        "workflows_apply": ("workflow.apply",),
        "workflows_change": ("workflow.update",),
        "workflows_delete": ("workflow.delete",),
        "workflows_publish": ("workflow.publish",),
        "workflows_activate": ("workflow.activate",),
        "workflows_pause": ("workflow.pause",),
        "workflows_archive": ("workflow.archive",),
        "workflows_duplicate": ("workflow.duplicate",),
        "versions_restore": ("workflow.restore",),
        "actions_add": ("workflow.add_step",),
        "actions_reorder": ("workflow.reorder_steps",),
        "actions_replace": ("workflow.replace_step",),
        "actions_delete": ("workflow.delete_step",),
        "runs_start": ("run.start",),
        "runs_cancel": ("run.cancel",),
        "runs_pause": ("run.pause",),
        "runs_resume": ("run.resume",),
        "runs_decide": ("run.decide",),
        "runs_signal": ("run.signal",),
        "runs_retry": ("run.retry",),
        "runs_redrive": ("run.redrive",),
        "runs_control_all": (
            "run.cancel", "run.pause", "run.resume", "run.decide", "run.signal", "run.retry", "run.redrive",
            "approval.answer",
        ),
        "approvals_approve": ("approval.answer",),
        "events_replay": ("event.replay",),
        "webhooks_create": ("webhook.create",),
        "webhooks_change": ("webhook.update",),
        "webhooks_delete": ("webhook.update", "webhook.delete"),
        "webhooks_rotate": ("webhook.rotate",),
        "webhooks_replay": ("delivery.replay",),
        "schedules_trigger_now": ("schedule.trigger",),
        "schedules_backfill": ("schedule.backfill",),
        "schedules_pause": ("schedule.pause",),
        "schedules_resume": ("schedule.resume",),
        "connections_create": ("connection.create",),
        "connections_change": ("connection.update",),
        "connections_delete": ("connection.delete",),
        "connections_receive": ("connection.receive",),
        "connections_stop": ("connection.stop_receiving",),
        "connections_rotate": ("connection.rotate_address",),
        "connections_authorize": ("connection.authorize",),
        "variables_create": ("variable.create",),
        "variables_change": ("variable.update",),
        "variables_delete": ("variable.delete",),
        "workspace_change": ("workspace.update",),
        "members_add": ("member.create",),
        "members_change": ("member.update",),
        "members_remove": ("member.delete",),
        "api_keys_create": ("api_key.create",),
        "api_keys_change": ("api_key.update",),
        "api_keys_rotate": ("api_key.rotate",),
        "api_keys_revoke": ("api_key.revoke",),
        "payload_keys_create": ("payload_key.create",),
        "payload_keys_delete": ("payload_key.retire", "payload_key.delete"),
        "workspaces_create": ("workspace.create",),
        "workspaces_change": ("workspace.update",),
        "workspaces_delete": ("workspace.delete",),
        "platform_keys_create": ("platform_key.create",),
        "platform_keys_revoke": ("platform_key.revoke",),
    }
)  # fmt: skip
"""The actions of which each operation leaves an entry when it changes something."""

LEAVES_NONE = MappingProxyType(
    {
        "connections_test": "it changes nothing but what the connection says of how it does",
        "events_send": "the log of events has each with source, time and all it did, and there may be very many",
    }
)
"""Operations with a permission to write that leave no entry, and why."""


def begin(request: Request, platform: Platform, actor: Actor) -> None:
    """This actor asks, from here to the end of the request. Looking leaves no entries."""
    if request.method not in ("GET", "HEAD"):
        _begin(request, platform, actor)


async def refused(request: Request, platform: Platform, actor: Actor, permission: str) -> None:
    """Write down that the actor may not do this, once a minute for each permission: nobody fills the log with it."""
    known = (actor.workspace_id, _id(actor) or "", permission)
    if actor.workspace_id == NO_WORKSPACE or platform.refusals.get(known) is not None:
        return
    platform.refusals.put(known, True)
    _begin(request, platform, actor)
    operation = operation_id(request.scope["route"])
    await audit.note_refused(platform.database, actor.workspace_id, permission, operation)


async def read_payloads(request: Request, platform: Platform, actor: Actor) -> None:
    """Write down that the actor was shown payloads, once an hour."""
    known = (actor.workspace_id, _id(actor) or "")
    if actor.workspace_id == NO_WORKSPACE or platform.readings.get(known) is not None:
        return
    platform.readings.put(known, True)
    _begin(request, platform, actor)
    await audit.note_done(platform.database, actor.workspace_id, "payload.read", None, "codec")


def begin_by_link(request: Request, platform: Platform, approver: str, name: str) -> None:
    """Somebody asks who has the link of an approver, and says that this is their name."""
    audit.asked_by(_asking(request, platform, "link", approver or None, name))


def _begin(request: Request, platform: Platform, actor: Actor) -> None:
    kind: audit.Kind = "platform" if actor.role is Role.PLATFORM else actor.kind
    audit.asked_by(_asking(request, platform, kind, _id(actor), actor.name))


def _id(actor: Actor) -> str | None:
    return actor.subject if actor.key_id is None else str(actor.key_id)


def _asking(request: Request, platform: Platform, kind: audit.Kind, id: str | None, name: str) -> Asking:
    return Asking(
        kind=kind,
        id=id,
        name=name,
        address=address_of(request, platform),
        user_agent=request.headers.get("user-agent"),
        request_id=getattr(request.state, "request_id", None),
    )
