"""Where a document uses a variable of the workspace: whatever its state, since a draft may be anything. Pure."""

from app.definition.paths import format_path
from app.definition.references import references
from app.json import Json


def variable_uses(document: Json, name: str, *, is_secret: bool) -> list[str]:
    """The paths of all texts of a document that use `secrets.<name>`, or of a plain one `workspace.vars.<name>`."""
    wanted = ("secrets", name) if is_secret else ("workspace", "vars", name)
    found = (one.place for one in references(document) if (one.root, *one.path)[: len(wanted)] == wanted)
    return list(dict.fromkeys(map(format_path, found)))
