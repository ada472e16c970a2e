"""Shapes of workflows: what is sent to make and change one, and what is answered."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import Json, JsonObject

WorkflowStatus = Literal["draft", "active", "paused", "archived"]

EXAMPLE_DEFINITION: JsonObject = {
    "trigger": {"type": "event", "event": "crm.contact.created"},
    "steps": [
        {
            "id": "enrich",
            "type": "action",
            "action": "http.request",
            "inputs": {"url": "https://api.example.com/people", "query": {"email": "{{ trigger.email }}"}},
        },
        {
            "id": "welcome",
            "type": "action",
            "action": "email.send",
            "connection": "smtp-main",
            "inputs": {"to": "{{ trigger.email }}", "subject": "Welcome", "body": "<p>Good to see you.</p>"},
        },
    ],
}


class _WorkflowFields(RequestModel):
    slug: str | None = Field(None, description="Name in addresses and files; made from the name when left out.")
    description: str = ""
    category: str | None = None
    tags: list[str] = Field(default_factory=list)
    icon: str | None = None
    color: str | None = None


class WorkflowCreate(_WorkflowFields):
    """A new workflow. As YAML the body may also be the definition alone; its `name` names the workflow then."""

    name: str = Field(description="For people.", examples=["Welcome a new contact"])
    definition: JsonObject | None = Field(
        None, description="The draft to begin with; empty when left out.", examples=[EXAMPLE_DEFINITION]
    )


class WorkflowChanges(RequestModel):
    """What to change; fields left out stay. As YAML the body may also be the definition alone."""

    name: str | None = None
    slug: str | None = None
    description: str | None = None
    category: str | None = None
    tags: list[str] | None = None
    icon: str | None = None
    color: str | None = None
    definition: JsonObject | None = Field(None, description="The whole draft.", examples=[EXAMPLE_DEFINITION])


class DefinitionToCheck(RequestModel):
    """A definition to check instead of the draft."""

    definition: JsonObject | None = Field(None, description="Left out, the draft is checked.")


class PublishRequest(RequestModel):
    """How the draft becomes a version."""

    comment: str | None = Field(None, max_length=2000, description="What changed.")
    activate: bool = Field(True, description="Whether new runs take this version from now on.")


class ApplyRequest(PublishRequest):
    """A definition the workspace is to have. As YAML the body may also be the definition alone."""

    definition: JsonObject = Field(
        description="Found again by the slug of its `name`.", examples=[{"name": "Welcome", **EXAMPLE_DEFINITION}]
    )


class WorkflowStatsAnswer(Answer):
    """How the workflow's runs went."""

    total_runs: int = 0
    successful_runs: int = 0
    failed_runs: int = 0
    last_run_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = Field(None, description="Message of the last failed run.")


class ReadAsAnswer(Answer):
    """How a definition was read that was written in another dialect."""

    dialect: str = Field(description="`flat`, `linked`, `actions` or `wizard`.")
    remarks: list["ProblemAnswer"] = Field(description="What was left out or is worth knowing, at its place as sent.")


class WorkflowAnswer(Answer):
    """A workflow as it stands."""

    id: UUID
    name: str
    slug: str
    description: str
    category: str | None
    tags: list[str]
    icon: str | None
    color: str | None
    status: WorkflowStatus
    draft: JsonObject = Field(description="The definition being edited.")
    active_version: int | None = Field(description="The version new runs take; null while none was published.")
    revision: int = Field(description="Counts changes; the `ETag` holds it.")
    stats: WorkflowStatsAnswer
    created_at: datetime
    updated_at: datetime
    read_as: ReadAsAnswer | None = Field(
        None, description="Only in the answer to a definition in another dialect; `draft` shows what became of it."
    )


class VersionAnswer(Answer):
    """A published definition. It never changes."""

    workflow_id: UUID
    number: int
    definition: JsonObject
    digest: str = Field(description="SHA-256 of the definition's canonical JSON.")
    published_by: str
    published_at: datetime
    comment: str | None


class ProblemAnswer(Answer):
    """One thing publishing would refuse, or warn of."""

    path: str = Field(description="JSON path into the definition.", examples=["steps[2].inputs.to"])
    message: str
    hint: str
    severity: str = Field(description="`error`, `warning` or `info`.")


class ValidationAnswer(Answer):
    """What publishing would say."""

    valid: bool
    problems: list[ProblemAnswer]


class ApplyAnswer(Answer):
    """What applying a definition did, and what stands there now."""

    result: Literal["created", "updated", "unchanged"]
    workflow: WorkflowAnswer
    version: VersionAnswer


def definition_from_yaml(document: Json) -> Json:
    """A YAML body as the fields of a request: `{definition: ...}` as it is, a definition alone put into its field."""
    if not isinstance(document, dict) or not _DEFINITION_KEYS.intersection(document):
        return document
    return {"definition": document}


def new_workflow_from_yaml(document: Json) -> Json:
    """As `definition_from_yaml`; a definition alone also gives the workflow its name."""
    body = definition_from_yaml(document)
    if body is not document and (key := next((key for key in _NAMES if key in document), None)):
        body["name"] = document[key]
    return body


_NAMES = ("name", "event_name", "workflowName")
"""Where a definition has its name, by dialect."""

_DEFINITION_KEYS = {"trigger", "triggers", "steps", "settings", "variables", "finally", "output"}
_DEFINITION_KEYS |= {"trigger_type", "trigger_config", "actions", "event_trigger"}
"""Keys a definition has and a request has not, in whatever dialect."""
