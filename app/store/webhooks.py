"""Queries about the addresses of workflows. Their secrets pass here as the ciphertext they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import Version, Webhook, Workflow
from app.json import JsonObject

_FIND: LiteralString = """
    SELECT webhooks.id, webhooks.workflow_id, position, enabled, webhooks.revision, secrets, previous_until,
           workflows.name, status, active_version, digest, COALESCE(definition, draft)
    FROM webhooks
    JOIN workflows ON workflows.workspace_id = webhooks.workspace_id AND workflows.id = webhooks.workflow_id
    LEFT JOIN versions ON versions.workspace_id = webhooks.workspace_id
        AND versions.workflow_id = webhooks.workflow_id AND number = active_version
    WHERE webhooks.workspace_id = %(workspace_id)s AND token_hash = %(token_hash)s
"""

_COUNT_KEPT: LiteralString = """
    UPDATE webhooks SET
        total_calls = total_calls + kept.calls, refused_calls = refused_calls + kept.refused,
        last_called_at = GREATEST(last_called_at, kept.last)
    FROM (
        SELECT count(*) AS calls, count(*) FILTER (WHERE status = 'refused') AS refused, max(received_at) AS last
        FROM deliveries
        WHERE workspace_id = %(workspace_id)s AND id = ANY(%(delivery_ids)s) AND webhook_id = %(webhook_id)s) AS kept
    WHERE workspace_id = %(workspace_id)s AND id = %(webhook_id)s AND kept.calls > 0
"""

_COUNT: LiteralString = """
    UPDATE webhooks SET
        total_calls = total_calls + %(calls)s, refused_calls = refused_calls + %(calls)s,
        last_called_at = GREATEST(last_called_at, clock_timestamp())
    WHERE workspace_id = %(workspace_id)s AND id = %(webhook_id)s
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A webhook with what its workflow says: `definition` is that of `version`, or the draft where there is none."""

    id: UUID
    workflow_id: UUID
    position: int
    enabled: bool
    revision: int
    secrets: str
    previous_until: datetime | None
    workflow_name: str
    workflow_status: str
    version: int | None
    digest: str | None
    definition: JsonObject


def by_token(workspace_id: UUID, token_hash: str) -> Statement:
    """The webhook of a token: a row for `Kept`, or none."""
    return Statement(_FIND, {"workspace_id": workspace_id, "token_hash": token_hash})


def count_kept(workspace_id: UUID, webhook_id: UUID, delivery_ids: Sequence[UUID]) -> Statement:
    """Count those of these deliveries that are there, which are of this transaction."""
    parameters = {"workspace_id": workspace_id, "webhook_id": webhook_id, "delivery_ids": list(delivery_ids)}
    return Statement(_COUNT_KEPT, parameters)


def count_refused(workspace_id: UUID, webhook_id: UUID, calls: int) -> Statement:
    """Count refused calls of which nothing else is kept."""
    return Statement(_COUNT, {"workspace_id": workspace_id, "webhook_id": webhook_id, "calls": calls})


async def list_(
    session: AsyncSession,
    workspace_id: UUID,
    *,
    workflow_id: UUID | None = None,
    webhook_id: UUID | None = None,
    after: UUID | None = None,
    limit: int,
) -> Sequence[tuple[Webhook, Workflow, Version | None]]:
    """Webhooks in the order they were made, each with its workflow and the version that runs."""
    statement = (
        select(Webhook, Workflow, Version)
        .join(Workflow, and_(Workflow.workspace_id == Webhook.workspace_id, Workflow.id == Webhook.workflow_id))
        .outerjoin(
            Version,
            and_(
                Version.workspace_id == Workflow.workspace_id,
                Version.workflow_id == Workflow.id,
                Version.number == Workflow.active_version,
            ),
        )
        .where(Webhook.workspace_id == workspace_id)
    )
    if workflow_id is not None:
        statement = statement.where(Webhook.workflow_id == workflow_id)
    if webhook_id is not None:
        statement = statement.where(Webhook.id == webhook_id)
    if after is not None:
        statement = statement.where(Webhook.id > after)
    return [(row[0], row[1], row[2]) for row in await session.execute(statement.order_by(Webhook.id).limit(limit))]


async def locked(session: AsyncSession, workspace_id: UUID, webhook_id: UUID) -> Webhook | None:
    """The webhook, which nobody else changes until the transaction ends."""
    statement = select(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
    return await session.scalar(statement.with_for_update(key_share=True))
