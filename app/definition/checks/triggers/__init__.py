"""Rules of triggers: one file for each kind that has any, and here which rules are asked for which trigger."""

from collections.abc import Callable
from typing import Any

from app.definition.checks.findings import Findings
from app.definition.checks.triggers.event import check_event
from app.definition.checks.triggers.form import check_answer, check_form, check_forms_apart
from app.definition.checks.triggers.manual import check_manual
from app.definition.checks.triggers.message import check_message
from app.definition.checks.triggers.schedule import check_schedule
from app.definition.checks.triggers.webhook import check_answers, check_webhook
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.triggers import (
    AnyTrigger,
    EventTrigger,
    FormTrigger,
    ManualTrigger,
    MessageTrigger,
    ScheduleTrigger,
    WebhookTrigger,
)

_RULES: dict[type[AnyTrigger], Callable[[Any, Path, Findings], None]] = {
    ManualTrigger: check_manual,
    EventTrigger: check_event,
    ScheduleTrigger: check_schedule,
    WebhookTrigger: check_webhook,
    FormTrigger: check_form,
    MessageTrigger: check_message,
}


def check_triggers(definition: Definition, findings: Findings) -> None:
    """Every trigger of the definition."""
    placed = placed_triggers(definition)
    for place, trigger in placed:
        _RULES[type(trigger)](trigger, place, findings)
    forms = [(place, trigger) for place, trigger in placed if isinstance(trigger, FormTrigger)]
    check_forms_apart(forms, findings)
    for place, trigger in forms:
        check_answer(trigger, place, definition, findings)
    check_answers(definition, findings)


def placed_triggers(definition: Definition) -> list[tuple[Path, AnyTrigger]]:
    """The triggers of a definition with where they are written."""
    placed: list[tuple[Path, AnyTrigger]] = []
    if definition.trigger is not None:
        placed.append((("trigger",), definition.trigger))
    placed.extend((("triggers", index), trigger) for index, trigger in enumerate(definition.triggers))
    return placed
