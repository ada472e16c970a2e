"""Shapes of the catalog: what a step can do, and what can happen."""

from pydantic import Field

from api.schemas.base import Answer
from app.json import JsonObject


class RetryAnswer(Answer):
    """How often and at what pace a failed attempt is repeated, unless the step says otherwise."""

    max_attempts: int
    initial_interval: str
    backoff: float
    max_interval: str
    jitter: float


class ActionErrorAnswer(Answer):
    """A type its errors can have, and whether a further attempt may help."""

    type: str
    retryable: bool


class ActionAnswer(Answer):
    """One thing a step can do."""

    id: str = Field(examples=["email.send"])
    title: str
    description: str
    category: str
    icon: str
    connection: str | None = Field(description="Kind of connection it uses.")
    connection_required: bool
    where: str = Field(description="`inline`: inside the walk; `local`: our own database; `remote`: a provider.")
    inputs_schema: JsonObject = Field(description="JSON Schema of its inputs; any value may be an expression.")
    outputs_schema: JsonObject = Field(description="JSON Schema of its output.")
    examples: list[JsonObject]
    aliases: list[str] = Field(description="Further names definitions may use.")
    retry: RetryAnswer
    timeout: float = Field(description="Seconds one attempt may take, unless the step says otherwise.")
    errors: list[ActionErrorAnswer]
    idempotency: str = Field(description="How a repeat is made harmless.")


class EventTypeAnswer(Answer):
    """One thing that can happen."""

    id: str = Field(examples=["crm.deal.won"])
    title: str
    description: str
    category: str = Field(description="The module: the part of the id before the first dot.")
    entity: str = Field(description="What it happens to.")
    data_schema: JsonObject | None = Field(
        description="JSON Schema of the fields its data may have; null where none is known. More may stand beside them."
    )
    examples: list[JsonObject] = Field(description="Data of such an event.")
