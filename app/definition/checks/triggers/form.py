"""Rules of form triggers: fields that a page can draw and a browser can send, colours that can be told apart, and forms
of one workflow that have names of their own."""

from collections.abc import Iterator, Sequence

from app.definition.checks.findings import Findings
from app.definition.checks.form_schemas import check_form_schema
from app.definition.colours import VISIBLE, contrast
from app.definition.errors import Path, shorten
from app.definition.form_fields import Drawn, drawn, properties, single_type
from app.definition.model import Definition
from app.definition.steps import RespondStep
from app.definition.tree import walk_paths
from app.definition.triggers.form import FormTrigger
from app.json import JsonObject

MOST_INPUTS = 500
"""Fields of a form, each box to tick counted by itself."""
_GROUND = "#ffffff"
_FILES = ("contentEncoding", "contentMediaType")
_WITH_ZONE = {"time": ("time-local", "09:30"), "date-time": ("date-time-local", "2030-01-31T09:30")}
_TYPES = ("object", "array", "null")
"""Types without an input; one that JSON Schema does not know is told as that."""
_KINDS = "a text, number, integer, boolean, an enum, or a list whose items are an enum"


def check_form(trigger: FormTrigger, place: Path, findings: Findings) -> None:
    """The fields, and what the page shows besides."""
    fields = (*place, "fields")
    check_form_schema(trigger.fields, fields, findings, way_out="give each field under properties")
    if isinstance(trigger.fields.get("properties"), dict):
        for name, message, hint in _undrawable(trigger.fields):
            findings.add((*fields, "properties", name), message, hint)
        inputs = sum(_inputs(drawn(schema)) for _, schema in properties(trigger.fields))
        if inputs > MOST_INPUTS:
            findings.add(
                (*fields, "properties"), f"the page would have {inputs:,} inputs, {MOST_INPUTS} are allowed", "ask less"
            )
        for index, name in enumerate(trigger.order):
            if name not in trigger.fields["properties"]:
                findings.add(
                    (*place, "order", index), f"there is no property '{shorten(name, 60)}'", severity="warning"
                )
    if trigger.thank_you is not None and trigger.redirect_to is not None:
        findings.add((*place, "redirect_to"), "who is led on never reads thank_you", "keep one of the two")
    if trigger.respond == "by_step" and trigger.redirect_to is not None:
        findings.add((*place, "redirect_to"), "who is led on never reads what a step responds", "keep one of the two")
    _check_colours(trigger, place, findings)


def check_forms_apart(placed: Sequence[tuple[Path, FormTrigger]], findings: Findings) -> None:
    """Every form of a workflow has an address and events of its own, by its `form_id`."""
    seen: set[str | None] = set()
    for place, trigger in placed:
        if trigger.form_id in seen:
            told = f"'{trigger.form_id}'" if trigger.form_id else "none"
            findings.add((*place, "form_id"), f"two forms have the same form_id: {told}", "give each form its own")
        seen.add(trigger.form_id)


def check_answer(trigger: FormTrigger, place: Path, definition: Definition, findings: Findings) -> None:
    """A form that leaves its answer to a step has one, or everybody who fills it in waits for nothing."""
    if trigger.respond != "by_step" or trigger.redirect_to is not None:
        return
    if not any(isinstance(step, RespondStep) and step.enabled for _, step in walk_paths(definition)):
        findings.add(
            (*place, "respond"), "no step of the workflow responds: people wait up to ten seconds for thank_you",
            "add a step of type respond, or leave this out", severity="warning",
        )  # fmt: skip


def _check_colours(trigger: FormTrigger, place: Path, findings: Findings) -> None:
    colour, ground = trigger.theme.color, trigger.theme.background or _GROUND
    if colour is not None and (found := contrast(colour, ground)) < VISIBLE:
        findings.add(
            (*place, "theme", "color"),
            f"the button could hardly be seen: {colour} on {ground} has a contrast of {found:.1f} to 1",
            f"take a colour with at least {VISIBLE:.0f} to 1",
        )


def _inputs(found: Drawn) -> int:
    return len(found.choices) if found.kind == "checkboxes" else 1


def _undrawable(form: JsonObject) -> Iterator[tuple[str, str, str]]:
    """Properties for which a page has no input: name, what is wrong, and what to do."""
    for name, schema in properties(form):
        shown, kind, format_ = f"'{shorten(name, 60)}'", single_type(schema), str(schema.get("format", ""))
        found = drawn(schema)
        if format_ in ("binary", "base64") or any(key in schema for key in _FILES):
            yield name, f"a form takes no files, as {shown} would be one", "ask for its address: format: uri"
        elif kind == "string" and format_ in _WITH_ZONE:
            local, example = _WITH_ZONE[format_]
            yield name, f"no page asks for the zone that {format_} of {shown} has", f"format: {local}, as in {example}"
        elif found.kind == "json" and (kind is None or kind in _TYPES):
            yield name, f"a page has no input for {shown}", _way_out(kind)
        elif not found.choices and found.kind in ("select", "radio", "checkboxes"):
            yield name, f"there is nothing to choose from for {shown}", "name the choices in its enum"


def _way_out(kind: str | None) -> str:
    if kind == "object":
        return "give each of its parts a property of its own"
    if kind == "array":
        return "items: {enum: [...]}, for boxes to tick"
    return f"give it one type; a page can ask for {_KINDS}"
