"""Finding a workflow by what people call it: its id, its slug or its name."""

from uuid import UUID

from app.cli.client import Api
from app.cli.exits import CliError, ExitCode
from app.json import JsonObject


def workflow_by(api: Api, wanted: str) -> JsonObject:
    """The workflow with this id, slug or name. Raises `CliError` when there is none, or more than one of that name."""
    if _is_id(wanted):
        found: JsonObject = api.get(f"/v1/workflows/{wanted}")
        return found
    workflows = list(api.items("/v1/workflows"))
    named = [item for item in workflows if item["slug"] == wanted] or [
        item for item in workflows if item["name"] == wanted
    ]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(item["id"] for item in named)
        raise CliError(ExitCode.REFUSED, f"several workflows are called {wanted!r}: say which by id ({ids})")
    raise CliError(
        ExitCode.NOT_FOUND, f"no workflow has the id, slug or name {wanted!r}: see `holdfast workflows list`"
    )


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
