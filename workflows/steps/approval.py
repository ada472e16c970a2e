"""`approval`: ask people, tell them by `notify`, and wait for an answer or until the deadline, which is absolute.

The approval is in the database before anybody is told of it, and can be answered from then on, also while `notify` is
under way: an answer, like the deadline, ends that. What people are sent are marks that become links where an action
sends them: the walk knows no secret.
"""

import json

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition.durations import parse_moment
from app.definition.steps import ApprovalStep
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord
from workflows.failures import fail
from workflows.resting import until_true
from workflows.scope import Scope
from workflows.state import moment
from workflows.tasks import Tasks, failure

MAX_APPROVERS = 50
MAX_APPROVER = 254
"""Characters; as long as an address may be."""
MAX_TITLE = 300
MAX_MESSAGE = 20_000


async def run(scope: Scope, step: ApprovalStep, record: StepRecord) -> Json:
    """`{approved, decision, answer, comment, by, via, at, timed_out}`, whatever was decided, unless that is to fail."""
    if record.wait is None:
        until = moment(workflow.now() + scope.duration(step.timeout, "timeout")) if step.timeout is not None else None
        record.wait = {"kind": "approval", "event": None, "until": until}
    wait = record.wait
    record.status = "waiting"
    scope.state.waits[record.path] = {"kind": "approval", "event": None, "until": wait["until"]}
    try:
        await _open(scope, step, record)
        if not step.notify:
            await _answered(scope, step, wait)
        elif workflow.patched("answers end notify"):
            await _answered_or_told(scope, step, record)
        else:
            await _tell(scope, step, record)
            await _answered(scope, step, wait)
    finally:
        del scope.state.waits[record.path]
    answer: JsonObject | None = wait.get("answer")
    wait["timed_out"] = answer is None
    # Nobody is told any more; what was told is in the row.
    wait.pop("shown", None)
    wait.pop("links", None)
    if answer is None and step.on_timeout == "fail":
        fail(ErrorType.WAIT_TIMED_OUT, f"nobody answered until {wait['until']}")
    if answer is not None and answer["decision"] == "rejected" and step.on_reject == "fail":
        why = f": {answer['comment']}" if answer["comment"] else ""
        fail(ErrorType.REJECTED, f"{answer['by']} rejected it{why}")
    return _output(answer)


def _output(answer: JsonObject | None) -> JsonObject:
    said = answer or {"decision": "timed_out", "answer": None, "comment": None, "by": None, "via": None, "at": None}
    return {"approved": said["decision"] == "approved", **said, "timed_out": answer is None}


async def _open(scope: Scope, step: ApprovalStep, record: StepRecord) -> None:
    """Make the approval one that can be answered."""
    wait = record.wait
    assert wait is not None, "it waits already"
    scope.state.announce()
    if not wait.get("open"):
        title = _text(scope, step.title_, "title", MAX_TITLE)
        message = _text(scope, step.message, "message", MAX_MESSAGE)
        approvers = _approvers(scope.evaluate(step.approvers, "approvers"))
        if step.approvers and not approvers and workflow.patched("somebody is named"):
            # Whom nobody in particular is asked, anybody may answer: that has to be meant.
            fail(ErrorType.EXPRESSION, "approvers: nobody is named; leave approvers out where anybody may answer")
        opened = await scope.recorder.open_approval(
            record, title=title, message=message, approvers=approvers, form=step.form
        )
        shown = {"id": opened.id, "title": title, "message": message, "approvers": approvers}
        wait["shown"], wait["links"], wait["open"] = shown, opened.links, True
    else:
        await scope.recorder.show_status()


async def _tell(scope: Scope, step: ApprovalStep, record: StepRecord) -> None:
    assert record.wait is not None, "it waits already"
    await scope.asking(step, {"approval": _seen(record.wait)}).run(step.notify)
    scope.state.current_step = record.path
    await scope.recorder.show_status()


async def _answered(scope: Scope, step: ApprovalStep, wait: JsonObject) -> None:
    """Wait for the answer, or until the deadline."""
    deadline = parse_moment(wait["until"]) if wait["until"] else None
    await until_true(scope.state, lambda: "answer" in wait, until=deadline, summary=step.title)


async def _answered_or_told(scope: Scope, step: ApprovalStep, record: StepRecord) -> None:
    """Tell people while the answer is waited for. What was given counts, whatever became of telling others; without an
    answer people may not know that they are asked, so a failure of `notify` is the step's."""
    wait = record.wait
    assert wait is not None, "it waits already"
    if "answer" in wait:
        return

    def decided(tasks: Tasks) -> bool:
        answered, told = tasks
        return answered.done() or failure([told]) is not None

    tasks = await scope.side_by_side([_answered(scope, step, wait), _tell(scope, step, record)], decided)
    error = failure(tasks)
    if error is not None and ("answer" not in wait or not isinstance(error, Exception)):
        raise error
    scope.state.current_step = record.path


def _seen(wait: JsonObject) -> JsonObject:
    """The approval as `notify` sees it: `link` only where everybody is sent the same one."""
    links = wait["links"]
    seen: JsonObject = {**wait["shown"], "until": wait["until"]}
    if links:
        seen["links"] = links
    if len(links) == 1:
        seen["link"] = links[0]["link"]
    return seen


def _approvers(value: Json) -> list[str]:
    given = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(one, str) and one.strip() and len(one) <= MAX_APPROVER for one in given):
        fail(ErrorType.EXPRESSION, f"approvers: give names or addresses, texts of 1 to {MAX_APPROVER} characters")
    found = list(dict.fromkeys(one.strip() for one in given))
    if len(found) > MAX_APPROVERS:
        fail(ErrorType.EXPRESSION, f"approvers: {len(found)} are more than the {MAX_APPROVERS} that can be asked")
    return found


def _text(scope: Scope, template: str, field: str, longest: int) -> str:
    value = scope.evaluate(template, field)
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if len(text) > longest:
        fail(ErrorType.EXPRESSION, f"{field}: {len(text):,} characters are more than the {longest:,} it may have")
    return text
