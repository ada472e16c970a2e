"""Shapes of approvals: what people are asked, and what they answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import Json, JsonObject

ApprovalStatus = Literal["open", "approved", "rejected", "timed_out", "cancelled"]


class ApproveRequest(RequestModel):
    """An answer to an approval of a run."""

    step_path: str | None = Field(
        None, description="Path of the step that asks; the only open approval when left out.", examples=["sign_off"]
    )
    decision: Literal["approve", "reject"]
    answer: JsonObject | None = Field(
        None, description="With `approve`: what is filled in; it must fit the approval's `form`."
    )
    comment: str | None = Field(None, max_length=4000, description="Why.")
    approver: str | None = Field(
        None,
        pattern=r"\S",
        max_length=254,
        description="Who answers, where the key answers for somebody: one of `approvers` if the step names some. The "
        "name of the key when left out.",
    )


class ApprovalAnswerAnswer(Answer):
    """What was answered, and by whom."""

    decision: Literal["approved", "rejected"]
    answer: Json = Field(description="What was filled in; null without a form, or with a rejection.")
    comment: str | None
    by: str
    via: Literal["api", "link"]
    at: datetime


class ApprovalLinkAnswer(Answer):
    """The link of one approver: whoever has it can answer in their name."""

    approver: str | None = Field(description="Null where the step names no approvers.")
    link: str


class ApprovalAnswer(Answer):
    """What a run asks people."""

    id: UUID
    run_id: UUID
    workflow_id: UUID
    workflow_name: str
    step_path: str
    title: str
    message: str
    approvers: list[str]
    form: JsonObject | None = Field(description="JSON Schema of `answer`.")
    status: ApprovalStatus
    answer: ApprovalAnswerAnswer | None
    until: datetime | None = Field(description="When it can no longer be answered; null = as long as the run goes on.")
    links: list[ApprovalLinkAnswer] = Field(
        description="While it is open, for whoever may answer (`approvals:write`); none without an encryption key."
    )
    opened_at: datetime
    closed_at: datetime | None
