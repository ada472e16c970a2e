"""What the audit log says of things: short, only what differs, nothing secret."""

import json

from app.db.models import Connection, Webhook
from app.json import JsonObject
from app.services.audit_facts import MAX_BYTES, MAX_TEXT, changed, compact, of_connection, of_webhook


def test_only_what_differs_is_kept_of_both_sides() -> None:
    before: JsonObject = {"same": [1], "other": 1, "gone": None, "lost": 2}
    after: JsonObject = {"same": [1], "other": 2, "new": 3}
    assert changed(before, after) == ({"other": 1, "lost": 2}, {"other": 2, "new": 3})
    assert changed(before, before) == ({}, {})


def test_long_texts_are_cut_off_wherever_they_stand() -> None:
    long = "x" * 1000
    found = compact({"a": long, "b": {"c": [long, 1, None, True]}, long: "short"})
    assert found is not None
    cut = "x" * MAX_TEXT + "…"
    assert found == {"a": cut, "b": {"c": [cut, 1, None, True]}, cut: "short"}
    assert compact(None) is None


def test_of_too_much_the_names_and_a_digest_remain() -> None:
    fields: JsonObject = {f"field {number}": "x" * 200 for number in range(100)}
    found = compact(fields)
    assert found is not None
    assert found["too_large"] is True
    assert found["fields"] == sorted(fields)[:50]
    assert compact({**fields, "field 0": "y"}) != found
    assert len(json.dumps(found)) < MAX_BYTES


def test_secrets_are_not_among_the_facts() -> None:
    connection = Connection(
        kind="smtp", name="m", description="", config={"host": "h"}, credentials="cipher", credential_fields=["p", "u"]
    )
    assert of_connection(connection)["credentials"] == {"configured": True, "fields": ["p", "u"]}
    assert "cipher" not in json.dumps(of_connection(connection))
    connection.credentials, connection.credential_fields = None, []
    assert of_connection(connection)["credentials"] == {"configured": False, "fields": []}
    webhook = Webhook(position=0, name="w", token_hash="hash", secrets="cipher", enabled=True)
    assert {"hash", "cipher"} & set(map(str, of_webhook(webhook).values())) == set()
