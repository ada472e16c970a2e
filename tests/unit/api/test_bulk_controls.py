"""Doing a thing to many runs takes the permission that doing it to one takes."""

from typing import get_args

from api.main import create_app
from api.permissions import PERMISSION_OF
from api.routes.bulk import _CONTROLS
from api.schemas.control import BulkRequest


def test_each_control_names_the_operation_that_does_the_same_to_one_run() -> None:
    single = {
        path.removeprefix("/v1/runs/{run_id}/"): methods["post"]["operationId"]
        for path, methods in create_app().openapi()["paths"].items()
        if path.startswith("/v1/runs/{run_id}/") and "post" in methods
    }
    assert {name: control.operation for name, control in _CONTROLS.items()} == single
    assert set(get_args(BulkRequest.model_fields["control"].annotation)) == set(single)
    assert PERMISSION_OF[single["approve"]] == "approvals:write"
