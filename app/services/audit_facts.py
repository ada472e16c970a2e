"""What the audit log says of a thing before and after: short, and never with anything secret. Pure.

A definition is said by its digest and the number of its steps, credentials by whether there are any and which fields.
"""

import hashlib
import json
from typing import Any

from app.db.models import Connection, Schedule, Webhook, Workflow
from app.definition.parse import digest
from app.json import Json, JsonObject

MAX_TEXT = 300
"""Characters of a text within."""
MAX_BYTES = 4096
"""Of either side, as JSON. Of what is larger the names remain, and the digest of it all."""


def of_workflow(row: Workflow) -> JsonObject:
    """A workflow as it is now."""
    plain = ("name", "slug", "description", "category", "icon", "color", "status", "active_version")
    return {
        **{name: getattr(row, name) for name in plain},
        "tags": list(row.tags or ()),
        "draft": of_definition(row.draft),
    }


def of_definition(document: JsonObject) -> JsonObject:
    """A definition: which one, and how many steps stand at its top."""
    return {"digest": digest(document), "steps": len(document.get("steps") or ())}


def of_webhook(row: Webhook) -> JsonObject:
    """A webhook as it is now, without token and secrets."""
    return {
        "workflow_id": str(row.workflow_id),
        "trigger": row.position,
        "name": row.name,
        "enabled": row.enabled is not False,
        "previous_secret_until": None if row.previous_until is None else row.previous_until.isoformat(),
    }


def of_connection(row: Connection) -> JsonObject:
    """A connection as it is now; of its credentials which fields are there."""
    fields = list(row.credential_fields or ())
    return {
        "kind": row.kind,
        "name": row.name,
        "description": row.description,
        "config": dict(row.config),
        "credentials": {"configured": bool(fields), "fields": fields},
    }


def of_schedule(row: Schedule) -> JsonObject:
    """Whether a schedule starts runs, and if not, since who said so and why."""
    return {"status": row.status, "paused_by": row.paused_by, "paused_reason": row.paused_reason}


def changed(before: JsonObject, after: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Of both sides the fields that differ."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )


def compact(fields: JsonObject | None) -> JsonObject | None:
    """The fields with long texts cut off; of too much in all the names and the digest."""
    if fields is None:
        return None
    short: JsonObject = _cut(fields)
    if len(text := json.dumps(short, ensure_ascii=False, default=str).encode()) <= MAX_BYTES:
        return short
    return {"too_large": True, "fields": sorted(short)[:50], "digest": hashlib.sha256(text).hexdigest()}


def _cut(value: Any) -> Json:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if isinstance(value, dict):
        return {_cut(name): _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return value
