"""The answer that a run gives its caller itself, with a `respond` step, as an HTTP response.

What may stand in one was settled when the step was done (`app.definition.responses`); it is sent as it was kept.
"""

from collections.abc import Mapping

from starlette.responses import Response

from api.security_headers import APART
from app.db.models import Run
from app.definition.responses import content_of

RUN_HEADER = "Holdfast-Run"


def own_response(run: Run, headers: Mapping[str, str]) -> Response:
    """What the run answered, with where the run is found besides. `headers` are the call's own: the run's go first."""
    kept = run.response or {}
    named = {"Location": f"/v1/runs/{run.id}", **headers}
    own = {name.lower(): value for name, value in kept["headers"].items()}
    free = {name: value for name, value in named.items() if name.lower() not in own}
    response = Response(content_of(kept["body"]), kept["status"], {**free, **own, RUN_HEADER: str(run.id)})
    # Beside a policy of the run's own: browsers keep to both.
    response.headers.append("Content-Security-Policy", APART)
    return response
