"""Retry: a run that failed, was cancelled or timed out is run once more from the start, as it was asked for."""

from uuid import UUID

from app.db.models import Run
from app.services import audit
from app.services.anew import add_run, claim, request_digest
from app.services.platform import Platform
from app.services.queues import begin


async def retry(platform: Platform, workspace_id: UUID, run_id: UUID, *, idempotency_key: str | None = None) -> Run:
    """A new run with the same version, input, trigger and first variables; `retry_of` says of which. Answers with it.

    The same idempotency key answers with the run it made. Raises `NotFound` and `Conflict` (`run_completed`,
    `run_under_way`, `already_retried`, `workflow_deleted`, `workflow_archived`, `idempotency_key_reused`,
    `already_run_once`), and what the workflow's limits refuse (`TooMany`, `Invalid`).
    """
    digest = request_digest("retry", str(run_id))
    async with platform.database.transaction(workspace_id) as session:
        original, existing = await claim(session, workspace_id, run_id, idempotency_key, digest)
        if existing is not None:
            return existing
        run = await add_run(session, original, (idempotency_key, digest))
        await audit.note(session, "run.retry", run_id, run.workflow_name, after={"new_run_id": str(run.id)})
    return await begin(platform, run, version=original.version, workspace_name=original.workspace_name)
