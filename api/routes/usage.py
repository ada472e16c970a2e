"""What the workspace of the key has used of its plan, over HTTP."""

from fastapi import APIRouter

from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.schemas.usage import FeaturesAnswer, LimitAnswer, PeriodAnswer, RateAnswer, UsageAnswer
from app.services import rate_limits, usage

router = APIRouter(prefix="/usage", tags=["usage"])


@router.get("", summary="Get what is used", responses=problem_answers())
async def get(platform: PlatformDep, actor: ActorDep) -> UsageAnswer:
    """The plan of the workspace, each of its limits with what is used and left, the runs of this calendar month (UTC)
    by status, and how many requests are taken."""
    found = await usage.get(platform, actor.workspace_id)
    return UsageAnswer(
        plan=found.plan.name,
        period=PeriodAnswer(start=found.begins, end=found.ends),
        limits={
            each.name: LimitAnswer(used=each.used, allowed=each.allowed, remaining=each.remaining)
            for each in found.limits
        },
        features=FeaturesAnswer(branches=found.plan.branches, parallel=found.plan.parallel),
        history_days=found.history_days,
        runs=found.runs,
        rate_limits=[
            RateAnswer(policy=name, limit=text, quota=rate.amount, window_seconds=rate.get_expiry())
            for name, text, rate in rate_limits.policies(platform.settings, found.plan)
        ],
    )
