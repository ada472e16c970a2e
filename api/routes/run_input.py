"""What a run may be started with, over HTTP: the schema, and its fields for a page that draws a form."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import approval_form
from api.approval_form import FormField
from api.dependencies import ActorDep, PlatformDep, WorkflowId
from api.openapi import problem_answers
from api.schemas.run_input import InputFieldAnswer, InputFormAnswer, RunInputAnswer
from app.json import Json, JsonObject
from app.services import run_input
from app.services.run_input import AskedForm

router = APIRouter(tags=["runs"])

_DEFS = "#/$defs/"


@router.get(
    "/workflows/{workflow_id}/input", summary="Get what a run is started with", responses=problem_answers(404, 409)
)
async def input_of(
    workflow_id: WorkflowId,
    platform: PlatformDep,
    actor: ActorDep,
    version: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="A published version; the active one when left out.")
    ] = None,
) -> RunInputAnswer:
    """The `input_schema` of the manual trigger, with a field for each of its properties. 404 says that any input is
    taken."""
    asked = await run_input.get(platform, actor.workspace_id, workflow_id, version=version)
    first, *others = [_form(each) for each in asked.forms]
    return RunInputAnswer(version=asked.version, alternatives=others, **dict(first))


def _form(asked: AskedForm) -> InputFormAnswer:
    schema = asked.schema
    fields = [_field(field, schema) for field in approval_form.fields_of(schema, order=asked.order)]
    return InputFormAnswer(input_schema=schema, fields=fields, examples=schema.get("examples", []))


def _field(field: FormField, schema: JsonObject) -> InputFieldAnswer:
    own = _property(schema, field.name)
    return InputFieldAnswer(
        name=field.name,
        label=field.label,
        kind=field.kind,
        required=field.name in schema.get("required", []),
        description=str(own.get("description", "")),
        default=own.get("default"),
        options=list(field.choices),
        labels=field.options,
        limits=dict(field.limits),
    )


def _property(schema: JsonObject, name: str) -> JsonObject:
    """The property's schema over the one of `$defs` it refers to."""
    own: Json = schema["properties"][name]
    if not isinstance(own, dict):
        return {}
    target = schema.get("$defs", {}).get(str(own.get("$ref", "")).removeprefix(_DEFS))
    return {**target, **own} if isinstance(target, dict) else own
