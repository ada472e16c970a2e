"""The kinds of trigger, one file a kind: what a definition says about how its runs start. Shapes alone.

What keeps a well-shaped trigger from being published stands in `checks/`, one file a kind as well.
"""

from typing import Annotated

from pydantic import Field

from app.definition.triggers.event import EventTrigger
from app.definition.triggers.form import FormTrigger
from app.definition.triggers.manual import ManualTrigger
from app.definition.triggers.message import MessageTrigger
from app.definition.triggers.schedule import ScheduleTrigger
from app.definition.triggers.webhook import WebhookTrigger

__all__ = [
    "WITH_EVENT",
    "AnyTrigger",
    "EventTrigger",
    "FormTrigger",
    "ManualTrigger",
    "MessageTrigger",
    "ScheduleTrigger",
    "Trigger",
    "WebhookTrigger",
]

AnyTrigger = ManualTrigger | EventTrigger | ScheduleTrigger | WebhookTrigger | FormTrigger | MessageTrigger
Trigger = Annotated[AnyTrigger, Field(discriminator="type")]

WITH_EVENT = (EventTrigger, WebhookTrigger, FormTrigger, MessageTrigger)
"""The kinds whose runs are started by an event, which they have as `event`."""
