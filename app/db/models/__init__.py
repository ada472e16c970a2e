"""The tables. Every one carries `workspace_id`, the tenant, and is guarded by forced row-level security.

Columns only; queries live in `app/store`. Primary keys start with the workspace, so that no index crosses tenants; but
those of what an event is held against only hold it, and texts with it in front are looked for (`Subscription.address`).
"""

from app.db.models.audit import AuditEntry
from app.db.models.base import Base
from app.db.models.forms import FormSender
from app.db.models.members import Member
from app.db.models.messages import Call, Mailbox, MessageAddress
from app.db.models.oauth import OAuthAuthorization, OAuthToken
from app.db.models.runs import Journal, Run, Step, StepAttempt, StoredPayload
from app.db.models.schedules import Schedule
from app.db.models.secrets import PayloadKey, Variable
from app.db.models.usage import Executions, RateWindow
from app.db.models.waiting import Approval, Event, Wait
from app.db.models.webhooks import Delivery, Webhook
from app.db.models.workflows import (
    ApiKey,
    Connection,
    Subscription,
    Version,
    Workflow,
    WorkflowVariable,
    Workspace,
)

__all__ = [
    "ApiKey",
    "Approval",
    "AuditEntry",
    "Base",
    "Call",
    "Connection",
    "Delivery",
    "Event",
    "Executions",
    "FormSender",
    "Journal",
    "Mailbox",
    "Member",
    "MessageAddress",
    "OAuthAuthorization",
    "OAuthToken",
    "PayloadKey",
    "RateWindow",
    "Run",
    "Schedule",
    "Step",
    "StepAttempt",
    "StoredPayload",
    "Subscription",
    "Variable",
    "Version",
    "Wait",
    "Webhook",
    "Workflow",
    "WorkflowVariable",
    "Workspace",
]
