"""What the problem codes of forms and schedules mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

TRIGGER_PAGES: dict[str, ProblemPage] = {
    "form_not_found": ProblemPage(
        "The address leads to no form",
        "It was copied only in part, or the form is gone: its workflow was deleted, or no longer has a form of this "
        "`form_id`.",
    ),
    "form_closed": ProblemPage(
        "The form is closed", "Its workflow is not active. What is sent meanwhile is not taken; activate the workflow."
    ),
    "invalid_submission": ProblemPage(
        "What was filled in does not fit the form", "`errors` says what is wrong with which field: `fields.email`."
    ),
    "too_many_submissions": ProblemPage(
        "Too many submissions from one address",
        "The form's `max_per_minute` says how many one address may send. `Retry-After` says when one is taken again.",
    ),
    "schedule_not_found": ProblemPage(
        "There is no such schedule",
        "`GET /v1/schedules` lists those of your workspace. A schedule goes when its workflow is archived, deleted or "
        "published without its trigger; one that is published again has another id.",
    ),
    "schedule_unreadable": ProblemPage(
        "The schedule no longer has a meaning here",
        "What was right when it was published cannot be read any more, as a rule because this machine's time zone data "
        "no longer has its `timezone`. Publish the workflow with another name of the zone, or install the data.",
    ),
    "invalid_backfill": ProblemPage(
        "This period cannot be filled in",
        "A period begins before it ends, ends in the past, and has at most 1,000 moments of the schedule. `detail` "
        "says how far the first thousand reach.",
    ),
}
