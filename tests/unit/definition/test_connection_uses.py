"""Where a document names a connection, whatever its state."""

import pytest

from app.definition.connection_uses import ConnectionUse, connection_uses
from app.json import Json

SEND = {"id": "send", "name": "Send", "type": "action", "action": "email.send", "connection": "main"}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"steps": [SEND]}, [ConnectionUse("steps[0]", "send", "Send")]),
        ({"steps": [{**SEND, "connection": "other"}]}, []),
        ({"trigger": {"type": "message", "connection": "main"}}, [ConnectionUse("trigger", None, None)]),
        (
            {"steps": [{"id": "ask", "type": "approval", "notify": [{"action": "email.send", "connection": "main"}]}]},
            [ConnectionUse("steps[0].notify[0]", "ask", None)],
        ),
        (
            {"steps": [{"id": "if", "type": "condition", "then": [], "else": [SEND]}], "finally": [SEND]},
            [ConnectionUse("steps[0].else[0]", "send", "Send"), ConnectionUse("finally[0]", "send", "Send")],
        ),
        ({"steps": [{**SEND, "connection": None, "inputs": {"json": {"connection": "main"}}}]}, []),
        ({"variables": {"connection": "main"}}, []),
        (None, []),
    ],
)
def test_a_use_is_found_where_it_is_one(document: Json, found: list[ConnectionUse]) -> None:
    assert connection_uses(document, "main") == found
