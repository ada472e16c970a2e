"""Which permission each operation under `/v1` takes: the one table, by the operation's id in the OpenAPI document.

What the roles may stands in `app.security.permissions`. An operation that is not in the table keeps the application
from being made, so that a new route cannot be open by oversight.
"""

from types import MappingProxyType

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute

from api.openapi import operation_id
from app.services.actors import Actor

_OPERATIONS = {
    "workflows:read": (
        "workflows_list_workflows",
        "workflows_get",
        "workflows_validate",
        "workflows_list_forms",
        "versions_list_versions",
        "versions_get",
        "actions_list_steps",
        "actions_get",
        "runs_input_of",
        "schedules_preview",
    ),
    "workflows:write": (
        "workflows_create",
        "workflows_apply",
        "workflows_change",
        "workflows_delete",
        "workflows_publish",
        "workflows_activate",
        "workflows_pause",
        "workflows_archive",
        "workflows_duplicate",
        "versions_restore",
        "actions_add",
        "actions_reorder",
        "actions_replace",
        "actions_delete",
    ),
    "runs:read": ("runs_list_runs", "runs_get", "runs_steps", "runs_stream"),
    "runs:write": (
        "runs_start",
        "runs_cancel",
        "runs_pause",
        "runs_resume",
        "runs_decide",
        "runs_signal",
        "runs_retry",
        "runs_redrive",
        "runs_control_all",
    ),
    "approvals:read": ("approvals_list_approvals", "approvals_get"),
    "approvals:write": ("approvals_approve",),
    "events:read": ("events_list_events", "events_get"),
    "events:write": ("events_send", "events_replay"),
    "webhooks:read": (
        "webhooks_list_of_workflow",
        "webhooks_list_webhooks",
        "webhooks_get",
        "webhooks_deliveries",
        "webhooks_delivery",
    ),
    "webhooks:write": ("webhooks_create", "webhooks_change", "webhooks_delete", "webhooks_rotate"),
    "deliveries:write": ("webhooks_replay",),
    "schedules:read": ("schedules_list_schedules", "schedules_of_workflow", "schedules_get"),
    "schedules:write": ("schedules_trigger_now", "schedules_backfill", "schedules_pause", "schedules_resume"),
    "connections:read": ("connections_list_connections", "connections_get", "connections_show", "connections_usage"),
    "connections:write": (
        "connections_create",
        "connections_change",
        "connections_delete",
        "connections_receive",
        "connections_stop",
        "connections_rotate",
        "connections_test",
        "connections_authorize",
    ),
    "variables:read": ("variables_list_variables", "variables_get"),
    "variables:write": ("variables_create", "variables_change", "variables_delete"),
    "catalog:read": (
        "catalog_list_actions",
        "catalog_get_action",
        "catalog_list_event_types",
        "catalog_get_event_type",
        "catalog_definition_schema",
    ),
    "me:read": ("me_get",),
    "keys:read": ("api_keys_list_keys", "api_keys_get"),
    "keys:write": ("api_keys_create", "api_keys_change", "api_keys_revoke", "api_keys_rotate"),
    "usage:read": ("usage_get",),
    "workspace:read": ("workspace_get", "payload_keys_list_keys"),
    "workspace:write": ("workspace_change",),
    "payload_keys:write": ("payload_keys_create", "payload_keys_delete"),
    "members:read": ("members_list_members", "members_get"),
    "members:write": ("members_add", "members_change", "members_remove"),
    "platform:read": ("workspaces_list_workspaces", "workspaces_get", "platform_keys_list_keys"),
    "platform:write": (
        "workspaces_create",
        "workspaces_change",
        "workspaces_delete",
        "platform_keys_create",
        "platform_keys_revoke",
    ),
    "audit:read": ("audit_list_entries", "audit_export"),
}
PERMISSION_OF = MappingProxyType(
    {operation: permission for permission, some in _OPERATIONS.items() for operation in some}
)
"""Each operation's permission."""


def check(router: APIRouter) -> None:
    """Raises `LookupError` for a route of the router that the table does not name."""
    missing = [operation_id(route) for route in router.routes if isinstance(route, APIRoute)]
    missing = [operation for operation in missing if operation not in PERMISSION_OF]
    if missing:
        raise LookupError(f"api/permissions.py names no permission for {', '.join(missing)}")


def of(request: Request) -> str:
    """The permission that the request's route takes."""
    return PERMISSION_OF[operation_id(request.scope["route"])]


def require(request: Request, actor: Actor) -> None:
    """Raises `Forbidden` unless the actor may call the request's route."""
    actor.require(of(request))
