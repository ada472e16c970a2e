"""What each problem code means, for the people who meet it: title and explanation, served at `/problems/{code}`.

Every code that a service or the API raises has its entry here; a test holds that.
"""

from api.audit_problem_pages import AUDIT_PAGES
from api.connection_problem_pages import CONNECTION_PAGES
from api.limit_problem_pages import LIMIT_PAGES
from api.message_problem_pages import MESSAGE_PAGES
from api.payload_problem_pages import PAYLOAD_PAGES
from api.people_problem_pages import PEOPLE_PAGES
from api.problem_page import ProblemPage
from api.request_problem_pages import REQUEST_PAGES
from api.signing_problem_pages import SIGNING_PAGES
from api.trigger_problem_pages import TRIGGER_PAGES
from api.webhook_problem_pages import WEBHOOK_PAGES

PROBLEM_PAGES: dict[str, ProblemPage] = {
    # Reading the request
    "malformed_json": ProblemPage(
        "The body is no JSON",
        "The request's body could not be read as JSON (RFC 8259, UTF-8). `detail` says where reading stopped. A name "
        "stands only once in an object; NaN, Infinity and numbers beyond a double's range are no JSON.",
    ),
    "malformed_yaml": ProblemPage(
        "The body is no YAML",
        "The request's body could not be read as one YAML document of plain data. `errors` says at which line.",
    ),
    "nested_too_deep": ProblemPage(
        "The body is nested too deep", "Objects and lists may stand in each other up to 128 levels deep."
    ),
    "unstorable_text": ProblemPage(
        "Text holds a character that cannot be kept",
        "Text may hold every Unicode character except U+0000, and no half of a surrogate pair. `errors` says where.",
    ),
    "body_too_large": ProblemPage(
        "The body is too large", "The request's body is larger than this server takes (`HOLDFAST_MAX_BODY_BYTES`)."
    ),
    "unsupported_media_type": ProblemPage(
        "This content type is not taken here",
        "`Content-Type` names a format this call does not read. `detail` lists those it does.",
    ),
    "invalid_request": ProblemPage(
        "The request does not validate",
        "A field, query parameter, header or part of the path is unknown, missing or of the wrong type. `errors` lists "
        "all of them.",
    ),
    "bad_request": ProblemPage("The request could not be read", "`detail` says what could not be read."),
    "invalid_cursor": ProblemPage(
        "This cursor is not one of ours",
        "`cursor` takes the `next_cursor` of the page before, unchanged, with the same filters and the same order.",
    ),
    # Not there
    "not_found": ProblemPage("There is nothing here", "No resource has this address, or it is not yours to see."),
    "method_not_allowed": ProblemPage(
        "This method is not taken here", "The address exists; the header `Allow` lists the methods it takes."
    ),
    "workspace_not_found": ProblemPage("No such workspace", "It was deleted, or the id is wrong."),
    "workflow_not_found": ProblemPage(
        "No such workflow", "No workflow of this workspace has this id. A deleted workflow cannot be brought back."
    ),
    "version_not_found": ProblemPage(
        "No such version", "The workflow has no published version of this number: `GET /v1/workflows/{id}/versions`."
    ),
    "step_not_found": ProblemPage(
        "No such step",
        "The workflow's draft has no step of this id (`GET /v1/workflows/{id}/actions` lists them), or the run none at "
        "this path (`GET /v1/runs/{id}/steps`).",
    ),
    "run_not_found": ProblemPage("No such run", "No run of this workspace has this id."),
    "event_not_found": ProblemPage("No such event", "No event of this workspace has this id, or none of this source."),
    "event_type_not_found": ProblemPage(
        "Nothing is known of this type",
        "The catalog does not describe this type of event. Events of any type are taken nevertheless.",
    ),
    "connection_not_found": ProblemPage("No such connection", "No connection of this workspace has this id or name."),
    "action_not_found": ProblemPage("No such action", "The catalog has no such action: `GET /v1/catalog/actions`."),
    "problem_not_found": ProblemPage("No such problem", "No kind of problem has this code."),
    # The state does not allow it
    "workflow_active": ProblemPage(
        "The workflow is active",
        "The draft of an active workflow is not changed, so that what runs is what is shown. Pause the workflow first "
        "(`POST /v1/workflows/{id}/pause`), or let drafts stand beside the active version: "
        '`PATCH /v1/workspace` with `{"settings": {"allow_drafts_beside_active": true}}`.',
    ),
    "workflow_not_active": ProblemPage(
        "The workflow is not active",
        "Only an active workflow starts runs. Publish it (`POST /v1/workflows/{id}/publish`) or activate it "
        "(`POST /v1/workflows/{id}/activate`).",
    ),
    "nothing_published": ProblemPage(
        "The workflow has no published version",
        "Only a published version can be activated: `POST /v1/workflows/{id}/publish` publishes and activates.",
    ),
    "runs_under_way": ProblemPage(
        "Runs of the workflow are under way",
        "A workflow is deleted when none of its runs is under way: cancel them, await their end, or archive it.",
    ),
    "slug_taken": ProblemPage(
        "The slug is taken", "Another workflow of the workspace has this slug. Choose another, or leave it out."
    ),
    "step_exists": ProblemPage(
        "A step of this id exists", "Ids of steps are unique in a definition, also of those inside other steps."
    ),
    "too_many_steps": ProblemPage(
        "The draft has as many steps as it may",
        "The workspace's setting `max_steps` says how many: `PATCH /v1/workspace`. Or let one workflow start another.",
    ),
    "connection_name_taken": ProblemPage(
        "The connection's name is taken", "Steps name connections, so that a workspace has each name once."
    ),
    "connection_wrong_kind": ProblemPage(
        "The connection is of another kind", "The action needs credentials of another provider than this connection's."
    ),
    "credentials_unreadable": ProblemPage(
        "The credentials cannot be decrypted",
        "They were encrypted with a key that is no longer in `HOLDFAST_ENCRYPTION_KEYS`. Bring the key back, or enter "
        "the credentials again.",
    ),
    "idempotency_key_reused": ProblemPage(
        "This Idempotency-Key stands for another request",
        "A run was started under the same key with another input, version or variables. Use a new key for a new run; "
        "repeat a request with exactly the body it had.",
    ),
    "run_finished": ProblemPage(
        "The run has ended",
        "A run that has ended can be read, and no longer steered. Unless it completed, `POST /v1/runs/{id}/retry` does "
        "it again from its start, and `/redrive` goes on from where it stopped.",
    ),
    "run_pending": ProblemPage(
        "The run has not begun",
        "It begins as soon as Temporal can be reached and the workflow's limits let it in (`waiting_for`); until then "
        "it can be cancelled, and nothing else.",
    ),
    "parent_ended": ProblemPage(
        "The run that asks for it has ended",
        "A step of a run starts a run only while its own run is under way.",
    ),
    "runs_nested_too_deep": ProblemPage(
        "Runs are nested too deep",
        "Runs may start runs up to ten levels deep. A workflow that runs itself, by way of others too, ends here.",
    ),
    "run_ending": ProblemPage(
        "The run is ending",
        "What the run was for is over: it undoes what it did, runs its `finally` and ends. It can be read, and not "
        "steered any more.",
    ),
    "run_lost": ProblemPage(
        "Temporal no longer has the run",
        "Somebody terminated or deleted it there. Its end is recorded within minutes; `POST /v1/runs/{id}/cancel` does "
        "so at once. It can be retried and redriven then.",
    ),
    "run_completed": ProblemPage(
        "The run has completed",
        "Retry and redrive repair runs that failed, were cancelled or timed out. Start a new run of the workflow "
        "(`POST /v1/workflows/{id}/runs`) to do all of it once more.",
    ),
    "run_under_way": ProblemPage(
        "The run has not ended",
        "Retry and redrive are for runs that have ended. A run under way can be paused, a held step decided about "
        "(`POST /v1/runs/{id}/decide`), or the run cancelled first.",
    ),
    "already_retried": ProblemPage(
        "Another run is under way in its place",
        "The run was retried or redriven and that run has not ended: wait for it, or cancel it. `detail` names it.",
    ),
    "already_run_once": ProblemPage(
        "Another run has its key",
        "The workflow runs once per key (`settings.run_once_per`). This run was refused by another limit and has none; "
        "the run that `detail` names began with the key since. Retry or redrive that one, if it did not complete.",
    ),
    "workflow_deleted": ProblemPage(
        "The run's workflow was deleted", "Nothing can run its definition any more. The run can still be read."
    ),
    "workflow_archived": ProblemPage(
        "The run's workflow is archived",
        "Activate the workflow, or bring it back as paused, to have its runs retried and redriven.",
    ),
    "journal_gone": ProblemPage(
        "What the run had done is not known",
        "A redrive needs to know what is finished, and neither the database nor Temporal does any more. Retry the run: "
        "that begins at its start.",
    ),
    "journal_too_large": ProblemPage(
        "The run remembers too much",
        "What a run begins with may have 16 MB. Redrive from an earlier step, or retry the run.",
    ),
    "step_not_reached": ProblemPage(
        "The run did not get that far",
        "`from_step` is a step the run has begun: `GET /v1/runs/{id}/steps` lists them. `detail` names the one it "
        "stopped at.",
    ),
    "step_not_kept": ProblemPage(
        "The run cannot go on from inside there",
        "What is inside a finished loop, repeat or other step is kept as that step's result alone: redrive from the "
        "step around it, which `detail` names, or retry the run.",
    ),
    "step_compensated": ProblemPage(
        "What the run did was undone",
        "The compensation of earlier steps ran when the run ended, so that later ones have nothing to stand on: "
        "redrive from the first step that was undone or from before it, or retry the run.",
    ),
    "version_differs": ProblemPage(
        "That version's finished part is another",
        "A redrive takes another version only where every step that is finished is the same in both. `detail` names "
        "the first that is not: redrive from that step or an earlier one, or retry the run.",
    ),
    "run_already_paused": ProblemPage(
        "The run is paused already", "`POST /v1/runs/{id}/resume` lets it go on, `/cancel` ends it."
    ),
    "run_not_paused": ProblemPage(
        "The run is not paused", "Only a paused run is resumed. `detail` says what this one does."
    ),
    "step_not_held": ProblemPage(
        "The step is not held",
        "Decisions are for steps that failed and wait for one: `status` is `held`. `GET /v1/runs/{id}/steps` shows "
        "them; `detail` names those of this run.",
    ),
    "run_not_waiting": ProblemPage(
        "The run does not wait for an event",
        "A signal is for a run that is at a `wait_for_event`. `GET /v1/runs/{id}` says what it waits for; `detail` "
        "names its open waits.",
    ),
    "approval_not_found": ProblemPage(
        "There is no such approval", "`GET /v1/approvals?status=all` lists those of your workspace."
    ),
    "approval_not_open": ProblemPage(
        "The approval cannot be answered",
        "It is not asked yet, its time is over, or its run has gone on without it. `GET /v1/approvals` lists what "
        "can be answered.",
    ),
    "approval_answered": ProblemPage(
        "The approval is answered already",
        "The first answer counts. `detail` says who gave it and when; the same answer again would change nothing.",
    ),
    "which_approval": ProblemPage(
        "Which approval is meant must be said", "The run has several that are open: name one of them in `step_path`."
    ),
    "invalid_answer": ProblemPage(
        "The answer does not fit",
        "`answer` must fit the JSON Schema in the approval's `form`, and goes with `approve` alone. `errors` lists "
        "what is wrong, field by field.",
    ),
    "which_event": ProblemPage(
        "Several sources have an event of this id",
        "An event is named by its id and its source together: say which with `?source=`. `detail` has the sources.",
    ),
    "event_not_for_workflow": ProblemPage(
        "The workflow does not take this event",
        "A replay for one workflow starts it as its trigger would. No trigger of this one fits the event's type, "
        "source and data.",
    ),
    "no_input_schema": ProblemPage(
        "The workflow takes any input",
        "The version has no manual trigger, or one without `input_schema`: there is nothing to draw a form from.",
    ),
    "event_type_needed": ProblemPage(
        "Which event this is must be said",
        "The run waits for several types of event, or for a pattern such as `crm.deal.*`: name the type in `event`.",
    ),
    "event_does_not_match": ProblemPage(
        "The event does not fit what the run waits for",
        "Its type or its data do not fit the wait's `event` and `match`. `detail` says what is waited for.",
    ),
    "stale": ProblemPage(
        "Somebody changed it since you read it",
        "`If-Match` names an older revision. Read it again, apply your change to that, and send the new `ETag`.",
    ),
    # Limits
    "input_too_large": ProblemPage(
        "The run's input is too large", "Input may be as large as `HOLDFAST_MAX_EVENT_BYTES` says (512 KiB by default)."
    ),
    "event_too_large": ProblemPage(
        "An event is too large",
        "An event's data may be as large as `HOLDFAST_MAX_EVENT_BYTES` says (512 KiB by default). Nothing of "
        "the request was taken.",
    ),
    "answer_too_large": ProblemPage(
        "The answer is too large",
        "An answer to an approval may be as large as `HOLDFAST_MAX_EVENT_BYTES` says (512 KiB by default).",
    ),
    "decision_too_large": ProblemPage(
        "The decision is too large",
        "Inputs and output of a decision may be as large as `HOLDFAST_MAX_EVENT_BYTES` says (512 KiB by default).",
    ),
    "run_too_large": ProblemPage(
        "The run does not fit",
        "Definition, input and variables travel together with the run and may have 1.8 MB together.",
    ),
    "rate_limit_reached": ProblemPage(
        "The workflow takes no more runs this hour",
        "`settings.max_runs_per_hour` says how many runs begin within any hour, and `excess: reject` that more are "
        "refused. `Retry-After` says in how many seconds the next one may begin.",
    ),
    "concurrency_limit_reached": ProblemPage(
        "As many runs as may be are under way",
        "`settings.concurrency` says how many runs with the same key may be under way, and `excess: reject` that more "
        "are refused. Wait for the end of one, or cancel it.",
    ),
    # Does not validate
    "invalid_limit_key": ProblemPage(
        "The key of a limit cannot be evaluated",
        "`run_once_per` or `concurrency.key` of the workflow's settings gives no text, number or boolean for this "
        "start. `errors` says which and why: send what it names, or give it a value in the definition with "
        "`default(...)`.",
    ),
    "invalid_input": ProblemPage(
        "The input does not fit the workflow", "The workflow's manual trigger says with `input_schema` what it takes."
    ),
    "invalid_input_schema": ProblemPage(
        "The workflow's input_schema cannot be used",
        "The published version's `input_schema` is no usable JSON Schema (2020-12): mend it and publish again.",
    ),
    "unknown_variables": ProblemPage(
        "The workflow has no such variable", "`variables` may set those the definition declares, and no others."
    ),
    "invalid_event": ProblemPage(
        "This is no event",
        "Events follow CloudEvents 1.0: `id`, `source`, `type` and `specversion` are needed. As plain JSON without "
        "`specversion` only `type` is. `errors` says what is missing, for each event of the list. Nothing was taken.",
    ),
    "invalid_definition": ProblemPage(
        "The definition has problems",
        "`errors` lists all of them, each with its JSON path and, where it is known, the way out. "
        "`POST /v1/workflows/{id}/validate` gives the same list without changing anything.",
    ),
    "invalid_workflow": ProblemPage("The workflow does not validate", "`errors` says which of its fields, and why."),
    "invalid_connection": ProblemPage(
        "The connection does not validate",
        "Kind, config or credentials do not fit. `errors` says where; what was entered is never repeated.",
    ),
    "invalid_settings": ProblemPage("The settings do not validate", "`errors` says which setting, and what it takes."),
    "invalid_name": ProblemPage("The name does not fit", "Names have 1 to 200 characters."),
    "invalid_sort": ProblemPage(
        "No such order", "`sort` takes one of the fields `detail` lists; a minus turns it round."
    ),
    "invalid_order": ProblemPage(
        "This is no order of the steps",
        "`order` names all siblings of one list, each once; `action_positions` names some of them with new places.",
    ),
    "invalid_branch": ProblemPage(
        "The step has no such branch",
        "`branch` is the index or name of a branch, `else`, `steps`, `error_steps` or `compensate`; which ones there "
        "are depends on the kind of the parent.",
    ),
    "invalid_decision": ProblemPage(
        "This cannot be decided about the step",
        "`inputs` go with `retry` and an action, `output` with `skip`. `detail` says what does not fit.",
    ),
    "unknown_step": ProblemPage(
        "No such step",
        "`from_step` is the path or the id of a step of the run's definition: `GET /v1/runs/{id}/steps`.",
    ),
    "step_always_anew": ProblemPage(
        "That step runs anew in any case",
        "`finally` and what undoes a step run when the body of the run has ended, also after a redrive: choose a "
        "step of the body.",
    ),
    # A part is down, or broken
    "no_encryption_key": ProblemPage(
        "No encryption key is configured",
        "Credentials are only kept encrypted: set `HOLDFAST_ENCRYPTION_KEYS` and start the server again.",
    ),
    "database_unavailable": ProblemPage(
        "The database cannot be reached", "Nothing was taken that could be lost. Send the request again in a moment."
    ),
    "temporal_unavailable": ProblemPage(
        "Temporal cannot be reached",
        "Runs can be started and read meanwhile, not steered. Send the request again in a moment; where `detail` says "
        "that it may still take effect, look at the run first.",
    ),
    "worker_unavailable": ProblemPage(
        "No worker answered",
        "Temporal can be reached, and no worker took the run's task in time: is one running (`holdfast worker`), of "
        "the same release? What was asked may still take effect: look at the run before you send it again.",
    ),
    "internal_error": ProblemPage(
        "Something broke here", "This is a mistake of the server. The log of the API holds the `request_id`."
    ),
    **REQUEST_PAGES,
    **TRIGGER_PAGES,
    **WEBHOOK_PAGES,
    **MESSAGE_PAGES,
    **PEOPLE_PAGES,
    **SIGNING_PAGES,
    **CONNECTION_PAGES,
    **AUDIT_PAGES,
    **LIMIT_PAGES,
    **PAYLOAD_PAGES,
}

__all__ = ["PROBLEM_PAGES", "ProblemPage"]
