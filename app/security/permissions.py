"""Who may do what: the permissions there are, the roles of a workspace, and what each role may. No route, no table.

A permission is `<resource>:<verb>`. A role of a workspace may what the weaker ones may, and more. A key or token may be
narrowed to some permissions (its scopes); it never gets more than its role has. The platform's administrator stands
outside of every workspace: makes workspaces, and sees nothing of what is in them.
"""

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is in a workspace, weakest first; and the platform's administrator, who is in none."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"
    ADMIN = "admin"
    PLATFORM = "platform"


WORKSPACE_ROLES = (Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN)
"""Weakest first."""

_FIRST_GIVEN = {
    Role.VIEWER: (
        "me:read",
        "workspace:read",
        "workflows:read",
        "runs:read",
        "approvals:read",
        "events:read",
        "webhooks:read",
        "schedules:read",
        "connections:read",
        "variables:read",
        "catalog:read",
        "usage:read",
    ),
    Role.OPERATOR: (
        "runs:write",
        "approvals:write",
        "events:write",
        "schedules:write",
        "deliveries:write",
        "payloads:read",
    ),
    Role.EDITOR: (
        "workflows:write",
        "webhooks:write",
        "connections:write",
        "variables:write",
    ),
    Role.ADMIN: (
        "workspace:write",
        "members:read",
        "members:write",
        "keys:read",
        "keys:write",
        "payload_keys:write",
        "audit:read",
    ),
    Role.PLATFORM: (
        "platform:read",
        "platform:write",
    ),
}
FROM_ROLE = MappingProxyType({permission: role for role, some in _FIRST_GIVEN.items() for permission in some})
"""Each permission and the weakest role that has it."""

PERMISSIONS = tuple(FROM_ROLE)


def permissions_of(role: Role) -> frozenset[str]:
    """What the role may."""
    if role is Role.PLATFORM:
        # Its log is the platform's own: that of no workspace.
        return frozenset((*_FIRST_GIVEN[Role.PLATFORM], "me:read", "audit:read"))
    reach = WORKSPACE_ROLES[: WORKSPACE_ROLES.index(role) + 1]
    return frozenset(permission for weaker in reach for permission in _FIRST_GIVEN[weaker])


def narrowed(role: Role, scopes: Iterable[str] | None) -> frozenset[str]:
    """What the role may of these scopes; None narrows nothing. Unknown scopes give nothing."""
    given = permissions_of(role)
    return given if scopes is None else given.intersection(scopes)


def weaker(one: Role, other: Role) -> Role:
    """The one of two roles of a workspace that may less."""
    return min(one, other, key=WORKSPACE_ROLES.index)
