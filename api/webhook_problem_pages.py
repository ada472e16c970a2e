"""What the problem codes of webhooks mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

WEBHOOK_PAGES: dict[str, ProblemPage] = {
    "webhook_not_found": ProblemPage(
        "No such webhook",
        "Nothing is taken at this address: it is misspelt, or its webhook was deleted.",
    ),
    "delivery_not_found": ProblemPage(
        "No such delivery",
        "There is none with this id in your workspace, or it was deleted with age.",
    ),
    "no_webhook_trigger": ProblemPage(
        "The workflow has no webhook trigger",
        "Give it a trigger of type `webhook`, publish it, then make an address for it.",
    ),
    "invalid_webhook": ProblemPage("The webhook does not validate", "`errors` says which field, and what fits there."),
    "webhook_unreadable": ProblemPage(
        "The webhook cannot be used now",
        "Its secrets cannot be read with the keys this server has (`HOLDFAST_ENCRYPTION_KEYS`), or it changes again "
        "and again. Nothing was taken; send it again later.",
    ),
    "delivery_not_replayable": ProblemPage(
        "This delivery cannot be replayed",
        "What was refused before its signature was found right is not kept as a whole, so that it can never be taken.",
    ),
    "too_many_deliveries": ProblemPage(
        "Too many deliveries come at once",
        "Others were before this one for half a minute, or too much waits already. Nothing was taken; send it again "
        "later.",
    ),
    "webhook_disabled": ProblemPage("The webhook is switched off", "Its owner takes no deliveries at this address."),
    "webhook_without_trigger": ProblemPage(
        "Nothing takes deliveries here at present",
        "The workflow's present version has no webhook trigger at the place this address was made for.",
    ),
    "invalid_signature": ProblemPage(
        "The signature is missing or not right",
        "Sign deliveries as the webhook's trigger asks (`signature`), with its secret, and send them within its "
        "`tolerance`. The log of the webhook tells its owner what was wrong.",
    ),
    "address_not_allowed": ProblemPage(
        "Deliveries are not taken from this address",
        "The trigger's `allowed_ips` do not hold it. Behind a proxy, name that in `HOLDFAST_TRUSTED_PROXIES`.",
    ),
    "malformed_form": ProblemPage(
        "The form cannot be read",
        "The body, or the query, is no form, breaks off, or has more than 1,000 fields.",
    ),
    "invalid_idempotency_key": ProblemPage(
        "What a delivery is told by cannot be computed",
        "The trigger's `idempotency_key` asks for something this delivery does not have. The delivery is kept, and can "
        "be replayed.",
    ),
    "no_run_began": ProblemPage(
        "The delivery began no run",
        "It is kept; a limit of the workflow or the workspace refused its run, or the workflow was paused at that very "
        "moment. Its owner can replay it.",
    ),
    "answer_timed_out": ProblemPage(
        "The run has not answered in time",
        "The delivery is kept and its run goes on; `Holdfast-Run` names it if it has begun. Sent again with the "
        "same delivery id, it is answered with what that run has to say by then.",
    ),
    "run_not_completed": ProblemPage(
        "The run ended without an answer",
        "It failed, timed out or was cancelled; `Holdfast-Run` names it.",
    ),
}
