"""Where a document uses variables of the workspace: whatever its state, since a draft may be anything. Pure."""

from collections.abc import Iterator

from app.definition.errors import ExpressionError, Path
from app.definition.paths import format_path, parse_path
from app.definition.references import references
from app.json import Json

PLAIN = ("workspace", "vars")
SECRET = ("secrets",)
_FIELD = ".".join(PLAIN)


def variable_uses(document: Json, name: str, *, is_secret: bool) -> list[str]:
    """The paths of all texts of a document that use `secrets.<name>`, or of a plain one `workspace.vars.<name>`."""
    wanted = (*(SECRET if is_secret else PLAIN), name)
    return list(
        dict.fromkeys(format_path(place) for place, path in looked_up(document) if path[: len(wanted)] == wanted)
    )


def looked_up(document: Json) -> Iterator[tuple[Path, Path]]:
    """Everything that expressions look up, and fields of conditions that are of the workspace's plain variables, which
    are paths without braces: place and path of each."""
    for one in references(document):
        yield one.place, (one.root, *one.path)
    for place, field in _fields(document):
        try:
            yield place, parse_path(field)
        except ExpressionError:
            continue


def _fields(document: Json) -> Iterator[tuple[Path, str]]:
    """`field: workspace.vars.<name>` and `workspace.vars.<name>: <value>`. Not recursive: values may be deep."""
    stack: list[tuple[Path, Json]] = [((), document)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, list):
            stack += [((*place, index), part) for index, part in enumerate(value)]
        elif isinstance(value, dict):
            field = value.get("field")
            yield from [((*place, key), key) for key in value if key.startswith(_FIELD)]
            if isinstance(field, str) and field.startswith(_FIELD):
                yield (*place, "field"), field
            stack += [((*place, key), part) for key, part in value.items()]
