"""Rules of webhook triggers: networks, signatures, how long things may take, and what tells a delivery from another."""

import ipaddress
import re
from datetime import timedelta
from string import Formatter

from app.definition import durations
from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.names import Names, check_value
from app.definition.errors import DurationError, Path
from app.definition.model import Definition
from app.definition.steps import RespondStep
from app.definition.tree import walk
from app.definition.triggers.webhook import (
    MAX_ANSWER_TIME,
    MAX_TOLERANCE,
    REQUEST_NAMES,
    HmacSignature,
    WebhookTrigger,
)

_REQUEST_ALONE = Scope((), {}).with_names(REQUEST_NAMES)
"""No run exists yet: a key sees the request and nothing else."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
_SHORTEST = timedelta(seconds=1)


def check_webhook(trigger: WebhookTrigger, place: Path, findings: Findings) -> None:
    """All that stands in the trigger itself."""
    _check_networks(trigger, place, findings)
    if isinstance(trigger.signature, HmacSignature):
        _check_signature(trigger.signature, (*place, "signature"), findings)
    _check_length(trigger.tolerance, (*place, "tolerance"), MAX_TOLERANCE, "a day", findings)
    _check_length(trigger.timeout, (*place, "timeout"), MAX_ANSWER_TIME, "5m", findings)
    check_value(trigger.idempotency_key, (*place, "idempotency_key"), _REQUEST_ALONE, Names(), findings)


def check_answers(definition: Definition, findings: Findings) -> None:
    """A trigger that is answered `by_step` needs a step that answers."""
    if any(isinstance(step, RespondStep) and step.enabled for _path, step in walk(definition)):
        return
    first = 0 if definition.trigger is None else 1
    for index, trigger in enumerate(definition.all_triggers):
        if isinstance(trigger, WebhookTrigger) and trigger.respond == "by_step":
            place: Path = ("triggers", index - first) if index >= first else ("trigger",)
            findings.add((*place, "respond"), "no step answers the request", "add a respond step, or say when_finished")


def _check_networks(trigger: WebhookTrigger, place: Path, findings: Findings) -> None:
    for index, network in enumerate(trigger.allowed_ips):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            where = (*place, "allowed_ips", index)
            findings.add(where, f"'{network[:80]}' is no address or network", "write 192.0.2.7 or 192.0.2.0/24")


def _check_signature(signature: HmacSignature, place: Path, findings: Findings) -> None:
    for field in ("header", "timestamp_header"):
        name = getattr(signature, field)
        if name is not None and not _HEADER.fullmatch(name):
            findings.add((*place, field), f"'{name[:80]}' is no name of a header", "write it as X-Signature")
    parts = _parts(signature.template)
    if parts is None or not parts <= {"body", "timestamp"}:
        hint = "write {body} and {timestamp} for what the request says, all else as it is"
        findings.add((*place, "signed"), f"'{signature.template[:80]}' cannot be filled in", hint)
        return
    if "body" not in parts:
        findings.add((*place, "signed"), "the body is not signed, so that anybody may change it", "let it have {body}")
    if signature.timestamp_header is not None and "timestamp" not in parts:
        hint = "let it have {timestamp}, or leave timestamp_header out"
        findings.add((*place, "signed"), "the time is not signed, so that it proves nothing", hint)
    if signature.timestamp_header is None and "timestamp" in parts:
        findings.add((*place, "timestamp_header"), "signed has a {timestamp} that no header gives", "name its header")


def _parts(template: str) -> set[str] | None:
    """The names between braces; None for a template that is none, or asks for more than a name."""
    try:
        found = list(Formatter().parse(template))
    except ValueError:
        return None
    if any(form or conversion for _text, _name, form, conversion in found):
        return None
    return {name for _text, name, _form, _conversion in found if name is not None}


def _check_length(text: str, place: Path, longest: timedelta, said: str, findings: Findings) -> None:
    if not durations.is_constant(text):
        findings.add(place, "there is no run yet whose values could be used here", "write a time, such as 30s")
        return
    try:
        length = durations.parse(text)
    except DurationError:
        return  # told with the shape
    if not _SHORTEST <= length <= longest:
        findings.add(place, f"'{text}' is not between 1s and {said}", "write a time within that, such as 30s")
