"""What the problem codes of workspaces, members and platform keys mean: as `problem_pages.py`, of which these are a
part."""

from api.problem_page import ProblemPage

PEOPLE_PAGES: dict[str, ProblemPage] = {
    "workspace_suspended": ProblemPage(
        "The workspace is suspended",
        "Nothing new starts in it, and its keys open nothing, until the platform's administrator resumes it: "
        '`PATCH /v1/workspaces/{id}` with `{"state": "active"}`, or `holdfast workspaces resume`.',
    ),
    "workspace_deleted": ProblemPage(
        "The workspace was deleted",
        "Its keys and its members' tokens open nothing any more, and it does not come back.",
    ),
    "workspace_deleting": ProblemPage(
        "The workspace is being deleted", "That cannot be undone, and nothing of it can be changed. Make another one."
    ),
    "member_not_found": ProblemPage(
        "No such member", "The id is wrong, or is of another workspace. `GET /v1/members` lists yours."
    ),
    "member_exists": ProblemPage(
        "That is a member already", "Change the role of the one there is: `PATCH /v1/members/{id}`."
    ),
    "last_admin": ProblemPage(
        "Nobody else could administer the workspace",
        "Give another member the role admin, or make another key with it that has no scopes and no end, first. Where "
        "everybody is locked out, `holdfast keys create --workspace ID` on the server makes a key.",
    ),
    "invalid_subject": ProblemPage(
        "This is no subject", "A subject is what the token says of whom it is for: its `sub`, or an e-mail address."
    ),
    "invalid_role": ProblemPage(
        "This is no role of a member", "A member is one of viewer, operator, editor and admin."
    ),
    "last_platform_key": ProblemPage(
        "No platform key would be left",
        "Make another one first, with `POST /v1/platform-keys` or `holdfast keys create-platform-key` on the server.",
    ),
    "key_not_found": ProblemPage("No such key", "The id is wrong, or is of another workspace."),
    "invalid_expiry": ProblemPage(
        "It would be over already", "A key's `expires_at` lies in the future. Leave it out for a key without end."
    ),
}
