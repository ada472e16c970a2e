"""The forms of a workflow, for those who have a key. What anybody meets is `form_pages.py`'s subject."""

from fastapi import APIRouter

from api.dependencies import ActorDep, PlatformDep, WorkflowId
from api.forms.answers import form_answer
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.forms import FormAnswer
from app.services import forms

router = APIRouter(tags=["workflows"])


@router.get("/workflows/{workflow_id}/forms", summary="List the forms of a workflow", responses=problem_answers(404))
async def list_forms(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep) -> ListAnswer[FormAnswer]:
    """The forms of what is published, with the addresses people find them at."""
    found = await forms.of_workflow(platform, actor.workspace_id, workflow_id)
    return ListAnswer(items=[form_answer(form, platform.settings) for form in found], next_cursor=None)
