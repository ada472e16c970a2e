"""`respond`: answer the HTTP call that started the run, and go on. The answer is in the database before the run does.

Who waits for it looks there; a run that nobody waits for keeps it all the same. The first answer of a run stays.
"""

from app.catalog.errors import ErrorType
from app.definition.errors import ResponseError
from app.definition.responses import Response, response_of
from app.definition.steps import RespondStep
from app.json import Json
from app.temporal import names
from app.temporal.child_messages import KeepResponse, KeptResponse
from app.temporal.messages import StepRecord
from workflows.failures import Suspended, fail
from workflows.scope import Scope


async def run(scope: Scope, step: RespondStep, record: StepRecord) -> Json:
    """`{answered, status}`: whether this is the answer the caller gets, and the status of the one it gets."""
    response, state = _response(scope, step), scope.state
    keep = KeepResponse(
        workspace_id=state.input.workspace_id,
        run_id=state.input.run_id,
        path=record.path,
        status=response.status,
        headers=response.headers,
        body=response.body,
        found_only=state.lost is not None,
    )
    kept = await scope.recorder.call(names.RESPOND_ACTIVITY, keep, KeptResponse, f"respond {response.status}")
    if kept.status is None:
        # On the way to what a lost task did: that one had not come this far.
        raise Suspended
    return {"answered": kept.answered, "status": kept.status}


def _response(scope: Scope, step: RespondStep) -> Response:
    status = scope.evaluate(step.status, "status")
    headers = scope.evaluate(step.headers, "headers")
    body = scope.evaluate(step.body, "body")
    try:
        return response_of(status, headers, body)
    except ResponseError as error:
        fail(ErrorType.INVALID_INPUT, str(error))
