"""What the problem codes of requests that are out of measure mean."""

from api.problem_page import ProblemPage

REQUEST_PAGES = {
    "address_too_long": ProblemPage(
        "The address is too long", "Path and query together are bounded; what is longer belongs into a body."
    ),
    "headers_too_large": ProblemPage(
        "The headers are too large",
        "There are too many of them, or they are too long. `detail` says how many are taken.",
    ),
    "body_too_slow": ProblemPage(
        "The body came too slowly",
        "A body has a minute to arrive. Nothing of it was taken: send it again, in smaller parts if the line is slow.",
    ),
    "request_timed_out": ProblemPage(
        "There was no answer in time",
        "The server stopped working on the request. It may have taken effect: look before you send it again, or send "
        "it with an `Idempotency-Key`.",
    ),
    "too_many_streams": ProblemPage(
        "Too many streams are open",
        "A process keeps a bounded number of streams, and a part of them for one workspace and one key "
        "(`HOLDFAST_MAX_STREAMS`). Close those nobody reads, or ask `GET /v1/runs/{id}` now and then.",
    ),
}
