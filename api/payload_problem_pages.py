"""What the problem codes of payload keys, the codec and variables mean: as `problem_pages.py`, of which these are a
part."""

from api.problem_page import ProblemPage

PAYLOAD_PAGES: dict[str, ProblemPage] = {
    "payload_encryption_off": ProblemPage(
        "Payloads are not encrypted here",
        "The installation decides that: set `HOLDFAST_PAYLOAD_ENCRYPTION=on` for the API and all workers, then make "
        "the key again.",
    ),
    "too_many_payload_keys": ProblemPage(
        "There are too many payload keys", "Delete retired keys whose histories nobody needs any more."
    ),
    "payload_key_not_found": ProblemPage(
        "No such payload key", "`GET /v1/workspace/payload-keys` lists those of the workspace."
    ),
    "payload_key_active": ProblemPage(
        "The key is the one that encrypts",
        "Make a newer one, which retires it, and delete it a minute later. To encrypt no more, delete the other keys "
        "first: the last one is retired when it is to be deleted.",
    ),
    "payload_key_retiring": ProblemPage(
        "The key was retired just now",
        "Other processes may encrypt with it for some seconds more, and what they encrypt would be lost. Delete it "
        "from the moment on that `detail` names.",
    ),
    "payload_key_in_use": ProblemPage(
        "Runs under way may need the key",
        "They could not go on without it. Make a newer key and wait until the runs that began before have ended, or "
        "delete it with `?end_runs=true`: then they fail.",
    ),
    "payload_key_deleted": ProblemPage(
        "The payload can never be read again",
        "It was encrypted with a payload key that was deleted. The records of the run are still there; the run itself "
        "fails when it is to go on.",
    ),
    "payload_key_unreadable": ProblemPage(
        "A payload key cannot be used just now",
        "Bring the key it was kept with back into `HOLDFAST_ENCRYPTION_KEYS`, or the database it is in.",
    ),
    "variable_not_found": ProblemPage(
        "No such variable", "`GET /v1/variables` lists those of the workspace. Names are compared exactly."
    ),
    "variable_in_use": ProblemPage(
        "The variable is used",
        "Drafts or active versions of workflows use it, or runs under way a secret: `errors` lists where. Let them do "
        "without it, archive the workflow, or let the runs end. An administrator can delete it all the same: "
        "`?force=true`.",
    ),
    "variable_name_taken": ProblemPage(
        "There is a variable of this name", "Change it with `PATCH /v1/variables/{name}`, or choose another name."
    ),
    "invalid_variable": ProblemPage(
        "The variable cannot be taken",
        "A name has letters, digits and `_` (64 at most, a letter first), a value at most 16 KiB as JSON, and a secret "
        "is a text of 6 characters or more. `errors` says which it is.",
    ),
    "secret_missing": ProblemPage(
        "There is no such secret", "Make the variable with `is_secret`, or name another in the step's inputs."
    ),
    "codec_only_decodes": ProblemPage(
        "The codec only decodes", "Start and steer runs through the API; Temporal's UI shows them."
    ),
    "invalid_payloads": ProblemPage(
        "These are no payloads",
        'The body is `{"payloads": [{"metadata": {...}, "data": "..."}]}` with values in base64, as Temporal sends it.',
    ),
    "payloads_too_large": ProblemPage(
        "The payloads are too large when they are read",
        "Decode fewer of them with one request: all of them together have a limit.",
    ),
    "wrong_namespace": ProblemPage(
        "Another namespace of Temporal", "This installation's payloads are in the namespace that `detail` names."
    ),
}
