"""What the problem codes of webhooks mean: title and explanation, part of the pages in `problem_pages`."""

WEBHOOK_PROBLEMS: dict[str, tuple[str, str]] = {
    "webhook_not_found": (
        "No such webhook",
        "Nothing is taken at this address: it is misspelt, or its webhook was deleted.",
    ),
    "delivery_not_found": (
        "No such delivery",
        "There is none with this id in your workspace, or it was deleted with age.",
    ),
    "no_webhook_trigger": (
        "The workflow has no webhook trigger",
        "Give it a trigger of type `webhook`, publish it, then make an address for it.",
    ),
    "invalid_webhook": ("The webhook does not validate", "`errors` says which field, and what fits there."),
    "webhook_unreadable": (
        "The webhook cannot be used now",
        "Its secrets cannot be read with the keys this server has (`HOLDFAST_ENCRYPTION_KEYS`), or it changes again "
        "and again. Nothing was taken; send it again later.",
    ),
    "delivery_not_replayable": (
        "This delivery cannot be replayed",
        "What was refused before its signature was found right is not kept as a whole, so that it can never be taken.",
    ),
    "too_many_deliveries": (
        "Too many deliveries come at once",
        "Others were before this one for half a minute. Nothing was taken; send it again later.",
    ),
    "webhook_disabled": ("The webhook is switched off", "Its owner takes no deliveries at this address."),
    "webhook_without_trigger": (
        "Nothing takes deliveries here at present",
        "The workflow's present version has no webhook trigger at the place this address was made for.",
    ),
    "invalid_signature": (
        "The signature is missing or not right",
        "Sign deliveries as the webhook's trigger asks (`signature`), with its secret, and send them within its "
        "`tolerance`. The log of the webhook tells its owner what was wrong.",
    ),
    "address_not_allowed": (
        "Deliveries are not taken from this address",
        "The trigger's `allowed_ips` do not hold it. Behind a proxy, name that in `HOLDFAST_TRUSTED_PROXIES`.",
    ),
    "malformed_form": (
        "The form cannot be read",
        "The body, or the query, is no form, breaks off, or has more than 1,000 fields.",
    ),
    "invalid_idempotency_key": (
        "What a delivery is told by cannot be computed",
        "The trigger's `idempotency_key` asks for something this delivery does not have. The delivery is kept, and can "
        "be replayed.",
    ),
    "no_run_began": (
        "The delivery began no run",
        "It is kept; a limit of the workflow refused its run, or the workflow was paused at that very moment. Its "
        "owner can replay it.",
    ),
    "answer_timed_out": (
        "The run has not answered in time",
        "The delivery is kept and its run goes on; `Holdfast-Run` names it if it has begun. Sent again with the "
        "same delivery id, it is answered with what that run has to say by then.",
    ),
    "run_not_completed": (
        "The run ended without an answer",
        "It failed, timed out or was cancelled; `Holdfast-Run` names it.",
    ),
}
