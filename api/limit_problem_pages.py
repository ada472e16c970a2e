"""What the problem codes of plans and rates mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

LIMIT_PAGES: dict[str, ProblemPage] = {
    "plan_limit_reached": ProblemPage(
        "The workspace's plan allows no more",
        "`detail` names the plan, the limit, what is used of it and the ways out; `errors` has each place. "
        "`GET /v1/usage` shows all limits. Nothing was changed.",
    ),
    "rate_limited": ProblemPage(
        "Too many requests",
        "The key, the workspace or the address has sent as many requests as it may for now. `Retry-After` says in how "
        "many seconds the next one is taken, `RateLimit-Policy` what is allowed, `RateLimit` what is left of it.",
    ),
    "unknown_plan": ProblemPage("There is no such plan", "The plans are `free`, `pro`, `enterprise` and `own`."),
    "invalid_overrides": ProblemPage(
        "What the workspace has beside its plan cannot be read",
        "Overrides are limits by name, as `GET /v1/usage` shows them: a number, `null` for no limit, or true and false "
        "for what a plan has or has not. `errors` says where.",
    ),
}
