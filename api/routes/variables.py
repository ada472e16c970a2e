"""The workspace's variables over HTTP. Values of secret ones are taken and never given back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Force, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.variables import VariableAnswer, VariableChanges, VariableCreate
from app.db.models import Variable
from app.services import variables

router = APIRouter(prefix="/variables", tags=["variables"])

CREATE = RequestBody(VariableCreate)
CHANGE = RequestBody(VariableChanges)

VariableName = Annotated[str, Path(description="Name of the variable.", max_length=100)]


@router.post(
    "",
    status_code=201,
    summary="Make a variable",
    openapi_extra=CREATE.openapi,
    responses=problem_answers(400, 409, 413, 415),
)
async def create(
    body: Annotated[VariableCreate, Depends(CREATE)], platform: PlatformDep, actor: ActorDep, response: Response
) -> VariableAnswer:
    """A variable for all workflows of the workspace: `workspace.vars.<name>`, or `secrets.<name>` for a secret."""
    row = await variables.create(platform, actor.workspace_id, body.model_dump())
    response.headers["Location"] = f"/v1/variables/{row.name}"
    return _answer(row)


@router.get("", summary="List variables", responses=problem_answers())
async def list_variables(
    platform: PlatformDep, actor: ActorDep, limit: Limit = 50, cursor: Cursor = None
) -> ListAnswer[VariableAnswer]:
    """The workspace's variables by name."""
    page = await variables.list_(platform, actor.workspace_id, limit=limit, cursor=cursor)
    return ListAnswer(items=[_answer(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{name}", summary="Get a variable", responses=problem_answers(404))
async def get(name: VariableName, platform: PlatformDep, actor: ActorDep) -> VariableAnswer:
    """The variable; of a secret everything but its value."""
    return _answer(await variables.get(platform, actor.workspace_id, name))


@router.patch(
    "/{name}",
    summary="Change a variable",
    openapi_extra=CHANGE.openapi,
    responses=problem_answers(400, 404, 413, 415),
)
async def change(
    name: VariableName,
    body: Annotated[VariableChanges, Depends(CHANGE)],
    platform: PlatformDep,
    actor: ActorDep,
) -> VariableAnswer:
    """Changes the fields given. Runs under way keep the plain value they began with; a secret is sent as it is now."""
    changes = body.model_dump(exclude_unset=True)
    return _answer(await variables.update(platform, actor.workspace_id, name, changes))


@router.delete("/{name}", status_code=204, summary="Delete a variable", responses=problem_answers(404, 409))
async def delete(
    name: VariableName,
    platform: PlatformDep,
    actor: ActorDep,
    force: Force,
) -> None:
    """Deletes it. One that workflows use stays (409, with what uses it); deleted all the same with `force`, the steps
    that send a secret fail from then on."""
    await variables.delete(platform, actor.workspace_id, name, force=force)


def _answer(row: Variable) -> VariableAnswer:
    return VariableAnswer(
        name=row.name,
        is_secret=row.is_secret,
        value=row.value,
        description=row.description,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
