"""What the problem codes of connections' use mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

CONNECTION_PAGES: dict[str, ProblemPage] = {
    "connection_in_use": ProblemPage(
        "The connection is used",
        "Workflows name it, runs under way among them, or messages come in over it: `errors` lists where, `GET "
        "/v1/connections/{id}/usage` as well. To delete it, name another connection there, archive the workflow, let "
        "the runs end, or let no more messages in. An administrator can delete it all the same: `?force=true`. To give "
        "it another name, make a connection of the new name, let the workflows name that one, and delete this one.",
    ),
    "connection_needs_no_authorization": ProblemPage(
        "Nobody has to authorize the connection",
        "Only connections of kind `oauth2` with the grant `authorization_code` are authorized by people. Others have "
        "what they need in their credentials.",
    ),
    "connection_changed": ProblemPage(
        "The connection was changed meanwhile",
        "While somebody authorized it, its configuration became another one. Begin the authorization again.",
    ),
    "too_many_tests": ProblemPage(
        "Too many tests of connections are under way",
        "A process has a bounded number of them at a time, and few for one workspace. One ends after 25 seconds at "
        "the latest: ask again then.",
    ),
    "authorization_not_found": ProblemPage(
        "No such authorization", "It was ended, is too old, or was begun in another browser. Begin it again."
    ),
}
