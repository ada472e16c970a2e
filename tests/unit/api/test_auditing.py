"""No operation that may change something is forgotten by the audit log."""

from api.auditing import LEAVES, LEAVES_NONE
from api.main import create_app
from api.permissions import PERMISSION_OF
from app.services.audit import ACTIONS

WRITING = {operation for operation, permission in PERMISSION_OF.items() if permission.endswith(":write")}


def test_every_operation_with_a_permission_to_write_leaves_an_entry_or_says_why_not() -> None:
    assert set(LEAVES) | set(LEAVES_NONE) == WRITING
    assert set(LEAVES) & set(LEAVES_NONE) == set()
    assert all(LEAVES_NONE.values())


def test_every_call_that_is_no_get_is_one_that_writes_or_only_computes() -> None:
    changing = {
        operation["operationId"]
        for path, operations in create_app().openapi()["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1") and method != "get" and operation["operationId"] in PERMISSION_OF
    }
    assert changing - WRITING == {"workflows_validate", "schedules_preview"}


def test_every_action_is_left_by_some_operation_or_is_no_operations() -> None:
    left = {action for actions in LEAVES.values() for action in actions}
    assert set(ACTIONS) - left == {"permission.refuse", "payload.read", "encryption_key.rotate"}
    assert left <= set(ACTIONS)
