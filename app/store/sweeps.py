"""Everything that crosses workspaces, asked as the platform's own role (`app.db.platform_role`). Nothing else does.

What is answered here are ids, names, states and plans: no row of what a tenant keeps. For the platform's own jobs and
its administrator, never for what a workspace's caller is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.engine import Database, Statement
from app.db.platform_role import platform_url
from app.json import JsonObject
from app.settings import Settings

_NOBODY = UUID(int=0)
_CONNECTIONS = 2
"""Of each of its pools: what is asked here is asked seldom."""
_OF_RUN = "SELECT workspace_id FROM runs WHERE id = %(run_id)s LIMIT 1"
_COLUMNS = "workspace_id, name, state, state_changed_at, created_at, plan, plan_overrides"


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """What the platform knows of a workspace. `state` is active, suspended or deleting."""

    id: UUID
    name: str
    state: str
    state_changed_at: datetime
    created_at: datetime
    plan: str
    plan_overrides: JsonObject


@dataclass(frozen=True, slots=True)
class Membership:
    """A workspace somebody is a member of, and as what. `used`: they have been in it."""

    workspace_id: UUID
    name: str
    role: str
    used: bool


class Sweeps:
    """The platform's role at work. Its connections are opened when they are first needed."""

    def __init__(self, database: Database) -> None:
        """`database` connects as the platform's role."""
        self._database = database

    @classmethod
    def open(cls, settings: Settings, on_failure: Callable[[str], Exception]) -> "Sweeps":
        """As the settings say; what `on_failure` makes is raised when the database cannot be reached as this role."""
        url = platform_url(settings.database_url or "", settings.platform_database_url)
        return cls(
            Database(
                settings.model_copy(update={"database_url": url}),
                on_failure=lambda detail: on_failure(f"{detail} (as the role of HOLDFAST_PLATFORM_DATABASE_URL)"),
                pool_size=_CONNECTIONS,
            )
        )

    def usage(self) -> dict[str, tuple[int, int, int]]:
        """As that of `Database`, of the one pool that is used here."""
        return {"platform": self._database.usage()["lean"]}

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    async def states_after(self, after: UUID | None, limit: int) -> list[tuple[UUID, str]]:
        """The next workspaces in the order of their ids, each with its state; None begins with the first."""
        rows = await self._ask(
            """
            SELECT workspace_id, state FROM workspaces WHERE workspace_id > %(after)s
            ORDER BY workspace_id LIMIT %(limit)s
            """,
            after=after or _NOBODY,
            limit=limit,
        )
        return [(id_, state) for id_, state in rows]

    async def list_(self, *, state: str | None, after: UUID | None, limit: int) -> list[WorkspaceFacts]:
        """The next workspaces in the order they were made, those of one state alone if that is said."""
        rows = await self._ask(
            f"""
            SELECT {_COLUMNS} FROM workspaces
            WHERE workspace_id > %(after)s AND (%(state)s::text IS NULL OR state = %(state)s)
            ORDER BY workspace_id LIMIT %(limit)s
            """,  # noqa: S608
            after=after or _NOBODY,
            state=state,
            limit=limit,
        )
        return [WorkspaceFacts(*row) for row in rows]

    async def find(self, workspace_id: UUID) -> WorkspaceFacts | None:
        """The workspace, if there is one."""
        rows = await self._ask(
            f"SELECT {_COLUMNS} FROM workspaces WHERE workspace_id = %(id)s AND workspace_id <> %(nobody)s",  # noqa: S608
            id=workspace_id,
            nobody=_NOBODY,
        )
        return WorkspaceFacts(*rows[0]) if rows else None

    async def change(self, workspace_id: UUID, *, name: str | None, state: str | None) -> WorkspaceFacts | None:
        """Give the workspace another name or state; None leaves one as it is. Answers None where there is no such
        workspace, or it is being deleted."""
        rows = await self._ask(
            f"""
            UPDATE workspaces
            SET name = COALESCE(%(name)s, name), state = COALESCE(%(state)s, state),
                state_changed_at = CASE WHEN state = COALESCE(%(state)s, state) THEN state_changed_at ELSE now() END
            WHERE workspace_id = %(id)s AND workspace_id <> %(nobody)s AND state <> 'deleting'
            RETURNING {_COLUMNS}
            """,  # noqa: S608
            id=workspace_id,
            name=name,
            state=state,
            nobody=_NOBODY,
        )
        return WorkspaceFacts(*rows[0]) if rows else None

    async def remove(self, workspace_id: UUID) -> None:
        """Delete the row of a workspace that is being deleted, and with it what was written meanwhile."""
        await self._ask(
            "DELETE FROM workspaces WHERE workspace_id = %(id)s AND workspace_id <> %(nobody)s AND state = 'deleting'",
            id=workspace_id,
            nobody=_NOBODY,
        )

    async def memberships_of(self, subject: str) -> list[Membership]:
        """Where this subject is a member, in the order of the workspaces; without workspaces that are being deleted."""
        rows = await self._ask(
            """
            SELECT workspace_id, workspaces.name, members.role, members.last_seen_at IS NOT NULL
            FROM members JOIN workspaces USING (workspace_id)
            WHERE members.subject = %(subject)s AND workspaces.state <> 'deleting' ORDER BY workspace_id
            """,
            subject=subject,
        )
        return [Membership(*row) for row in rows]

    async def workspace_of_run(self, run_id: UUID) -> UUID | None:
        """Whose run it is."""
        rows = await self._ask(
            _OF_RUN,
            run_id=run_id,
        )
        return rows[0][0] if rows else None

    async def _ask(self, statement: Any, **parameters: Any) -> list[tuple[Any, ...]]:
        (rows,) = await self._database.run(_NOBODY, Statement(statement, parameters))
        return rows
