"""A worker that neither looks for nor keeps the outcomes of steps named `unkept_...`; all else is the worker's own.

What outcome rows cost is measured against such steps. Their effects are not safe from a crash, which is why this is a
program of the benchmarks and no setting.
"""

from app.services import records
from app.services.platform import Platform
from app.temporal.messages import ActionCall, ActionOutcome
from worker.main import main

UNKEPT = "unkept"

_stored_outcome, _commit_outcome = records.stored_outcome, records.commit_outcome


async def _stored(platform: Platform, call: ActionCall) -> ActionOutcome | None:
    return None if call.step_id.startswith(UNKEPT) else await _stored_outcome(platform, call)


async def _commit(platform: Platform, call: ActionCall, outcome: ActionOutcome) -> None:
    if not call.step_id.startswith(UNKEPT):
        await _commit_outcome(platform, call, outcome)


if __name__ == "__main__":
    records.stored_outcome = _stored
    records.commit_outcome = _commit
    main()
