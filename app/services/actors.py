"""Who asks, in which workspace, and what they may. Telling it from a key or a token is others' business."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from app.security.permissions import FROM_ROLE, Role, narrowed, permissions_of
from app.services.errors import Forbidden

NO_WORKSPACE = UUID(int=0)
"""A workspace nobody has: its transactions see no tenant's rows. The platform's administrator acts in it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A key, or a person with a token. `name` is what is shown of it (`published_by`), the key's own or the person's.

    `workspace_id` is `NO_WORKSPACE` for the platform's administrator. `key_id` is a key's, `subject` a person's (`sub`
    of the token). `scopes` narrow what the role may; None narrows nothing. `expires_at` ends it, even a known one.
    """

    workspace_id: UUID
    key_id: UUID | None
    name: str
    role: Role = Role.ADMIN
    scopes: frozenset[str] | None = None
    kind: Literal["key", "person"] = "key"
    subject: str | None = None
    expires_at: datetime | None = None
    email: str | None = None

    @property
    def permissions(self) -> frozenset[str]:
        """All it may."""
        return narrowed(self.role, self.scopes)

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def may(self, permission: str) -> bool:
        """Whether it has the permission."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises `Forbidden` (`not_permitted`) unless it may."""
        if not self.may(permission):
            why = "its scopes leave that out" if permission in narrowed(self.role, None) else f"its role is {self.role}"
            whose = f"the key {self.name!r}" if self.kind == "key" else self.name
            raise Forbidden(
                "not_permitted", f"This takes the permission {permission}, which {whose} does not have: {why}."
            )

    def require_reach(self, role: Role) -> None:
        """Raises `Forbidden` (`beyond_own_permissions`) where somebody with the role may more than it: nobody hands out
        more than they have, whatever permission they have to hand it out."""
        beyond = [permission for permission in FROM_ROLE if permission in permissions_of(role) - self.permissions]
        if beyond:
            raise Forbidden(
                "beyond_own_permissions",
                f"You cannot make somebody {role} who may then do more than you: that has {', '.join(beyond)}. Choose "
                "a weaker role, or have somebody do it who may.",
            )
