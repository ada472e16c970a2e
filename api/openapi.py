"""The OpenAPI document: its head, and the request bodies' schemas moved to where the others stand. No routes here."""

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.schemas.problems import ProblemDocument
from app.json import Json, JsonObject
from app.security.permissions import Role, permissions_of

REFERENCE = "#/components/schemas/"

DESCRIPTION = """
Workflows, their runs, and the events that start and wake them.

* **Who asks**: every call under `/v1` carries an API key, `Authorization: Bearer hf_...`, or a person's token where the
  installation takes tokens. Whoever is in several workspaces names one in `Holdfast-Workspace`.
* **Permissions**: each call says which one it takes and which roles have it; `x-permission` says it to programs. Who
  does not have it is answered with 403 `not_permitted`.
* **Times** are RFC 3339 in UTC, **ids** UUIDs (version 7), field names `snake_case`. Unknown fields and unknown query
  parameters are refused (422), never ignored.
* **Lists** answer `{"items": [...], "next_cursor": ...}` and take `limit` and `cursor`.
* **Errors** are `application/problem+json` (RFC 9457): match on `code`; `type` leads to a page about it, `errors` lists
  everything that is wrong at once. Every answer names its request in `X-Request-Id`.
* **Limits**: `RateLimit` and `RateLimit-Policy` say how many requests are left; after a 429 `Retry-After` says when
  to go on.
"""

TAGS: list[JsonObject] = [
    {"name": "workflows", "description": "What a team describes: a trigger and a tree of steps."},
    {"name": "versions", "description": "Published definitions. They never change."},
    {"name": "actions", "description": "The steps of a workflow's draft, one by one."},
    {"name": "runs", "description": "Executions: start them, look into them, steer them, repair them."},
    {"name": "approvals", "description": "What runs ask people, and what they answer."},
    {"name": "forms", "description": "Pages that start workflows, as programs fill them in. No key is needed."},
    {
        "name": "events",
        "description": "What happens elsewhere, as CloudEvents: starts workflows, wakes waiting runs.",
    },
    {"name": "webhooks", "description": "Addresses at which workflows take requests of others, and what came in."},
    {"name": "schedules", "description": "What starts runs at moments: when, and what became of it."},
    {"name": "connections", "description": "Credentials for providers. They are written, used, and never shown."},
    {"name": "catalog", "description": "What a step can do, and the schema of definitions."},
    {"name": "workspace", "description": "Your workspace and its settings."},
    {"name": "members", "description": "The people of your workspace, and what they may."},
    {"name": "workspaces", "description": "All workspaces of this installation, for its administrator."},
    {"name": "platform-keys", "description": "Keys of the installation's administrator."},
    {"name": "api_keys", "description": "Keys of the workspace: who may do what with programs."},
    {"name": "me", "description": "Who asks, and what they may."},
    {"name": "audit", "description": "Who did what to what, from where. Entries are added, and never changed."},
    {"name": "usage", "description": "What your workspace's plan allows, and what is used of it."},
    {"name": "variables", "description": "Values for all workflows of the workspace. Secret ones are never shown."},
    {"name": "payload_keys", "description": "Keys that what Temporal keeps of your runs is encrypted with."},
    {"name": "health", "description": "Whether this server lives, and whether all it needs is there."},
]

_PROBLEMS = {
    400: "The request could not be read",
    401: "No API key or token, or a wrong one",
    403: "Not yours to do, or not taken from this address",
    404: "Not there, or not yours to see",
    405: "A method this address does not take; `Allow` says which it takes",
    409: "The state does not allow it; `detail` says which state and the way out",
    410: "It was there, and is closed or switched off",
    412: "`If-Match` is stale",
    413: "Larger than the limit",
    408: "The body did not come in time",
    414: "Path and query are longer than this server takes",
    415: "A content type this call does not read",
    422: "It does not validate; `errors` says where",
    429: "A limit of the workflow, or of requests, takes no more now; `Retry-After` says when to try again",
    431: "More headers, or larger ones, than this server takes",
    503: "A part is down; `detail` says which",
    504: "There was no answer in the time there is for one",
}


OF_ANY_REQUEST = (414, 431)
"""What may be answered before the route is looked for."""


def problem_answers(*statuses: int) -> dict[int | str, JsonObject]:
    """The problem documents a route can answer with, for its `responses`; 401, 403, 422, 429 and 503 stand on all."""
    content = {"application/problem+json": {"schema": {"$ref": f"{REFERENCE}{ProblemDocument.__name__}"}}}
    return {
        status: {"description": _PROBLEMS[status], "content": content}
        for status in sorted({401, 403, 422, 429, 503, *statuses})
    }


def operation_id(route: APIRoute) -> str:
    """What clients generated from the document call the operation: `runs_cancel`."""
    return f"{str(route.tags[0]).replace('-', '_')}_{route.name}" if route.tags else route.name


def install(app: FastAPI, permissions: Mapping[str, str]) -> None:
    """Let `app` serve its document with every schema among the components, and with each operation the permission it
    takes; `permissions` has these by the operations' ids."""

    def openapi() -> JsonObject:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, permissions)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, permissions: Mapping[str, str]) -> JsonObject:
    document: JsonObject = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components: JsonObject = document["components"]["schemas"]
    _add(components, ProblemDocument.model_json_schema(ref_template=REFERENCE + "{model}"))
    anywhere = problem_answers(408, *OF_ANY_REQUEST)
    for operations in document["paths"].values():
        for operation in operations.values():
            if (permission := permissions.get(operation["operationId"])) is not None:
                _tell(operation, permission)
            for status in (*OF_ANY_REQUEST, *((408,) if "requestBody" in operation else ())):
                operation["responses"].setdefault(str(status), anywhere[status])
            for media in operation.get("requestBody", {}).get("content", {}).values():
                media["schema"] = _add(components, media["schema"])
    return document


def _tell(operation: JsonObject, permission: str) -> None:
    roles = ", ".join(f"`{role}`" for role in Role if permission in permissions_of(role))
    told = f"Takes the permission `{permission}`, which these roles have: {roles}."
    operation["description"] = f"{operation.get('description', '')}\n\n{told}".strip()
    operation["x-permission"] = permission


def _add(components: JsonObject, schema: Json) -> Json:
    """Move a schema with its `$defs` to the components; answers the reference to it."""
    title = schema.get("title")
    if title is None:
        return schema
    components.update(schema.pop("$defs", {}))
    components[title] = schema
    return {"$ref": REFERENCE + title}
