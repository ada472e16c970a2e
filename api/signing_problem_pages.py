"""What the problem codes of signing in and of keys mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

SIGNING_PAGES: dict[str, ProblemPage] = {
    # Who is asking
    "missing_api_key": ProblemPage(
        "No API key", "Send the header `Authorization: Bearer hf_...` with a key of your workspace."
    ),
    "invalid_api_key": ProblemPage(
        "Unknown API key", "The key is misspelt, was revoked, or belongs to another server."
    ),
    "not_permitted": ProblemPage(
        "Not yours to do",
        "The key or person is known, and the role or the scopes do not reach that far. `detail` names the permission "
        "that is missing. An administrator of the workspace changes roles; a key's scopes are chosen when it is made.",
    ),
    "invalid_token": ProblemPage(
        "The token is not accepted",
        "It has run out, is meant for somebody else, was issued by somebody else, or is not signed as it must be; "
        "which of these is not told. Sign in again where you got it. The API's log has the reason for whoever runs it.",
    ),
    "issuer_unavailable": ProblemPage(
        "The token cannot be checked now",
        "The keys of its issuer (`HOLDFAST_JWT_JWKS_URL`) could not be fetched. Send the request again in a moment.",
    ),
    "not_a_member": ProblemPage(
        "You are signed in, and not in this workspace",
        "Your token is good. It names no workspace that gives you a role, and the workspace you named has no member "
        "like you, or there is no such workspace. An administrator of the workspace adds members.",
    ),
    "which_workspace": ProblemPage(
        "Which workspace?",
        "You are a member of several, or of one you have never been in: send the id of the one you want in the header "
        "`Holdfast-Workspace`. `errors` lists them. Enter none that you do not know: anybody may add you to theirs.",
    ),
    "other_workspace": ProblemPage(
        "The key is of another workspace",
        "The header `Holdfast-Workspace` names one, the key another. A key opens its own alone: leave the header out.",
    ),
    "invalid_key": ProblemPage(
        "The key does not validate", "`errors` says which of `name`, `role`, `scopes` and `expires_at` does not fit."
    ),
    "beyond_own_permissions": ProblemPage(
        "A key or a member may not do more than who makes it",
        "To make, change or rotate a key, or to give a member a role, takes all that the key or the role may do. "
        "`detail` says what is missing.",
    ),
    "key_not_found": ProblemPage("No such key", "Your workspace has no key of this id."),
    "key_revoked": ProblemPage("The key was revoked", "That is for good: make a new key."),
    "key_expired": ProblemPage(
        "The key has expired", "Its `expires_at` is over. Change that first, or make a new key."
    ),
}
