"""What a workspace has used of what its plan allows, as of now. Refusing is `plans`' subject."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.services import workspaces
from app.services.plan_table import COUNTED, Plan
from app.services.plans import plan_of
from app.services.platform import Platform
from app.services.starting import first_id_since
from app.store import usage as store
from app.store import workspaces as workspace_rows


@dataclass(frozen=True, slots=True)
class Used:
    """One limit: what is used of it (None: it is of each definition), and what is allowed (None: any number)."""

    name: str
    used: int | None
    allowed: int | None

    @property
    def remaining(self) -> int | None:
        """What is left; nothing of what is beyond a plan that has become smaller."""
        return None if self.allowed is None or self.used is None else max(0, self.allowed - self.used)


@dataclass(frozen=True, slots=True)
class Usage:
    """All of it. `runs` are by status those the workspace still keeps of this month."""

    plan: Plan
    begins: datetime
    ends: datetime
    limits: list[Used]
    history_days: int | None
    """Days that ended runs and events are kept by plan and settings; None is for ever."""
    runs: dict[str, int]


async def get(platform: Platform, workspace_id: UUID) -> Usage:
    """What is used of each limit. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = workspaces.there(await workspace_rows.find(session, workspace_id))
        plan, now = plan_of(row), await store.now(session)
        begins, ends = month_around(now)
        used = {
            "workflows": await store.workflows(session, workspace_id),
            "executions": await store.executions(session, workspace_id, store.month_of(now)),
            "connections": await store.connections(session, workspace_id),
            "webhooks": await store.webhooks(session, workspace_id),
            "schedules": await store.schedules(session, workspace_id),
        }
        runs = await store.runs_by_status(session, workspace_id, first_id_since(begins))
    limits = [Used(name, used[name], getattr(plan, name)) for name in COUNTED]
    limits += [Used(name, None, getattr(plan, name)) for name in ("steps", "delay_seconds")]
    own = workspaces.settings_of(row).retention_days
    days = (platform.settings.retention_days if own is None else own) or None
    kept = min((each for each in (days, plan.history_days) if each is not None), default=None)
    return Usage(plan, begins, ends, limits, kept, runs)


def month_around(moment: datetime) -> tuple[datetime, datetime]:
    """The first moment of its calendar month in UTC, and of the next one."""
    begins = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    return begins, ends
