"""Rules of the schemas that people fill in on a page: an object whose properties a page can ask for."""

from collections.abc import Iterator

from app.definition.checks.findings import Findings
from app.definition.checks.schemas import check_json_schema, maps_names, parts_of
from app.definition.errors import Path, shorten
from app.json import Json, JsonObject

UNKNOWN = ("unevaluatedProperties", "unevaluatedItems")
"""Keywords that the check of an answer does not know."""
UNSEEN = ("allOf", "anyOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "minProperties", "$ref")
"""Keywords beside the fields that an answer must fit, and that a page draws nothing for."""


def check_form_schema(form: JsonObject, here: Path, findings: Findings, *, way_out: str) -> None:
    """The form is one; `way_out` is what to do where it has no fields."""
    check_json_schema(form, here, findings)
    if form.get("type") != "object":
        findings.add(
            (*here, "type"), "the form is not that of an object", "type: object, with its fields as properties"
        )
    elif not isinstance(form.get("properties"), dict) or not form["properties"]:
        findings.add((*here, "properties"), "the form has no fields", way_out)
    else:
        _check_page(form, here, findings)
    for place, keyword in _unknown(form):
        findings.add((*here, *place), f"{keyword} is not supported", "use additionalProperties or items")


def _check_page(form: JsonObject, here: Path, findings: Findings) -> None:
    """A page has an input for each property and no other, and tells nobody of what else must be so."""
    required = form.get("required")
    for index, name in enumerate(required if isinstance(required, list) else []):
        if isinstance(name, str) and name not in form["properties"]:
            findings.add(
                (*here, "required", index), f"no page can ask for '{shorten(name, 60)}'", "give it under properties"
            )
    for word in UNSEEN:
        if word in form:
            findings.add(
                (*here, word), f"the page does not show what {word} asks for",
                "say it with properties and required, or in the message", severity="warning",
            )  # fmt: skip


def _unknown(schema: Json) -> Iterator[tuple[Path, str]]:
    for place, part in parts_of(schema):
        if not maps_names(place):
            yield from (((*place, word), word) for word in UNKNOWN if word in part)
