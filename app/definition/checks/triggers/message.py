"""Rules of message triggers: filters over the message's event alone, what goes with which channel, the connection."""

from collections.abc import Mapping
from datetime import timedelta

from app.definition import durations
from app.definition.checks.findings import Findings
from app.definition.checks.triggers.event import check_event_filter
from app.definition.errors import DurationError, Path, listing
from app.definition.expressions import is_template
from app.definition.model import Definition
from app.definition.nearest import suggestion
from app.definition.steps import RespondStep
from app.definition.tree import walk
from app.definition.triggers.message import CHANNEL_KINDS, MessageTrigger

LONGEST_ANSWER = timedelta(seconds=10)
_VOICE_ALONE = ("greeting", "language", "max_seconds")


def check_message(trigger: MessageTrigger, place: Path, findings: Findings) -> None:
    """The filter, and what only some channels know."""
    check_event_filter(trigger.filter, (*place, "filter"), findings)
    for name in _VOICE_ALONE:
        if getattr(trigger, name) is not None and trigger.channel != "voice":
            findings.add((*place, name), f"{name} is for calls, and the channel is {trigger.channel}", "remove it")
    if trigger.respond == "by_step" and trigger.channel not in ("sms", "whatsapp"):
        findings.add(
            (*place, "respond"),
            f"nothing of channel {trigger.channel} is answered by a step",
            "by_step is for sms and whatsapp over Twilio; answer others with an action",
        )
    if trigger.timeout is not None:
        _check_timeout(trigger, (*place, "timeout"), findings)


def check_messages(definition: Definition, connections: Mapping[str, str] | None, findings: Findings) -> None:
    """What message triggers ask of the workspace's connections (None = not known here), and of the steps."""
    head = [] if definition.trigger is None else [(("trigger",), definition.trigger)]
    rest = ((("triggers", index), trigger) for index, trigger in enumerate(definition.triggers))
    for place, trigger in (*head, *rest):
        if isinstance(trigger, MessageTrigger):
            _check_connection(trigger, (*place, "connection"), connections, findings)
            if trigger.respond == "by_step" and not any(
                isinstance(step, RespondStep) for _path, step in walk(definition)
            ):
                findings.add(
                    (*place, "respond"), "no step answers: respond is by_step", "add a respond step", severity="warning"
                )


def _check_timeout(trigger: MessageTrigger, place: Path, findings: Findings) -> None:
    if trigger.respond != "by_step":
        findings.add(place, "nothing is waited for: respond is at_once", "set respond: by_step, or remove it")
        return
    if is_template(trigger.timeout or ""):
        findings.add(place, "no run is there yet that could evaluate an expression", "write it out, as in 5s")
        return
    try:
        length = durations.parse(trigger.timeout)
    except DurationError as error:
        findings.add(place, error.message, error.hint)
        return
    if not timedelta() < length <= LONGEST_ANSWER:
        findings.add(place, f"'{trigger.timeout}' is not between 0 and 10 seconds", "Twilio waits fifteen seconds")


def _check_connection(
    trigger: MessageTrigger, place: Path, connections: Mapping[str, str] | None, findings: Findings
) -> None:
    name, kinds = trigger.connection, CHANNEL_KINDS[trigger.channel]
    if trigger.respond == "by_step":
        kinds = tuple(kind for kind in kinds if kind == "twilio") or kinds
    if name is None or connections is None:
        return
    fitting = [each for each, kind in connections.items() if kind in kinds]
    there = f"connections that fit: {listing(fitting)}" if fitting else f"make one of kind {' or '.join(kinds)} first"
    if is_template(name):
        findings.add(place, "a connection is named as it stands, not by an expression", there)
    elif name not in connections:
        hint = suggestion(name, connections, what="connections") or there
        findings.add(place, f"there is no connection '{name}'", hint)
    elif connections[name] not in kinds:
        answered = " that are answered by a step" if trigger.respond == "by_step" else ""
        message = (
            f"no messages of channel {trigger.channel}{answered} come in over '{name}', of kind {connections[name]}"
        )
        findings.add(place, message, there)
