"""Shapes of the audit log."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer
from app.json import JsonObject

ActorKind = Literal["key", "person", "platform", "link", "system"]
Outcome = Literal["done", "refused"]
Format = Literal["csv", "jsonl"]


class AuditActorAnswer(Answer):
    """Who did it."""

    kind: ActorKind = Field(
        description="`key`; `person` (with a token); `platform` (its administrator); `link` (of an approval); `system` "
        "(the command line beside the database)."
    )
    id: str | None = Field(description="Id of the key, `sub` of the person, the approver of the link.")
    name: str = Field(description="As it was called then.")


class AuditTargetAnswer(Answer):
    """What it was done to."""

    type: str
    id: str | None
    name: str | None = Field(description="As it was called then; a run, a schedule, a delivery by its workflow's name.")


class AuditEntryAnswer(Answer):
    """One act. `before` and `after` hold what changed, and nothing secret."""

    id: UUID
    at: datetime
    actor: AuditActorAnswer
    action: str = Field(description="`<target type>.<verb>`", examples=["workflow.publish"])
    target: AuditTargetAnswer
    outcome: Outcome = Field(description="`refused`: the actor's role or scopes did not allow it; noted once a minute.")
    address: str | None = Field(description="IP address of the client, past trusted proxies.")
    user_agent: str | None
    request_id: str | None = Field(description="`X-Request-Id` of the answer, and in the server's log.")
    before: JsonObject | None = Field(description="What changed, as it was; null where it was made, or is not told.")
    after: JsonObject | None = Field(description="The same as it is since; null where it was deleted.")
