"""Whether the process lives, and whether all it needs is there. For supervisors and load balancers: no key needed."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from fastapi import APIRouter, Response

from api.dependencies import PlatformDep
from api.schemas.health import CheckAnswer, HealthAnswer
from app.db.migrate import database_revision, head_revision
from app.services.platform import Platform

CHECK_SECONDS = 3.0

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Does the process live?")
async def healthz() -> HealthAnswer:
    """Answers as long as the process does; looks at nothing else."""
    return HealthAnswer(status="ok", checks={})


@router.get(
    "/readyz",
    summary="Is everything it needs there?",
    responses={503: {"model": HealthAnswer, "description": "A part is down; `checks` says which"}},
)
async def readyz(platform: PlatformDep, response: Response) -> HealthAnswer:
    """Database (reachable, migrated) and Temporal (reachable), each checked now."""
    database, temporal = await asyncio.gather(_checked(_database(platform)), _checked(_temporal(platform)))
    checks = {"database": database, "temporal": temporal}
    ready = all(check.status == "ok" for check in checks.values())
    response.status_code = 200 if ready else 503
    return HealthAnswer(status="ok" if ready else "down", checks=checks)


async def _checked(check: Awaitable[str | None]) -> CheckAnswer:
    """The check's own complaint, or why it could not be made; whatever breaks in it means that the part is down."""
    try:
        detail = await asyncio.wait_for(check, CHECK_SECONDS)
    except TimeoutError:
        detail = f"no answer within {CHECK_SECONDS:g} seconds"
    except Exception as error:  # a broken part must not break the report about it
        detail = str(error) or type(error).__name__
    return CheckAnswer(status="down" if detail else "ok", detail=detail)


async def _database(platform: Platform) -> str | None:
    revision = await database_revision(platform.database)
    if revision == head_revision():
        return None
    return f"the database is at revision {revision or 'none'}, this program needs {head_revision()}: holdfast migrate"


async def _temporal(platform: Platform) -> str | None:
    client = await platform.temporal.client()
    healthy = await client.service_client.check_health(timeout=timedelta(seconds=CHECK_SECONDS))
    return None if healthy else f"Temporal at {platform.settings.resolved_temporal_address} is not serving"
