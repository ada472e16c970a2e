"""Finding things by what people call them: a workflow by its id, its slug or its name, others by what they have."""

from collections.abc import Sequence
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


def named(api: Api, path: str, wanted: str, fields: Sequence[str], *, what: str, see: str) -> JsonObject:
    """The item of a list with this id, or with this in one of the fields. Raises `CliError` when there is none, or more
    than one; `see` is the command that lists them."""
    if _is_id(wanted):
        try:
            found: JsonObject = api.get(f"{path}/{wanted}")
        except CliError as error:
            if error.exit_code is not ExitCode.NOT_FOUND:
                raise
        else:
            return found
    # What is no id of these may look like one: subjects of some issuers do.
    there = [item for item in api.items(path) if wanted in (item[name] for name in fields)]
    if len(there) == 1:
        return there[0]
    if there:
        ids = ", ".join(item["id"] for item in there)
        raise CliError(ExitCode.REFUSED, f"more than one {what} is called {wanted!r}: say which by id ({ids})")
    raise CliError(ExitCode.NOT_FOUND, f"no {what} is called {wanted!r}: see `{see}`")


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
