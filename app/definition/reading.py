"""Text to JSON values: YAML 1.2 or JSON, with line and column of what cannot be read. Models are not known here.

YAML is read as its core schema has it: `yes`, `on` and times of day are texts, dates too. What could not be stored as
JSON (other tags, keys that are no text, repeated keys, aliases that multiply) is refused.
"""

import json
import math
import re
from typing import Any, NoReturn

import yaml

from app.definition.paths import format_path
from app.definition.problems import DefinitionInvalid, Problem
from app.definition.syntax import is_storable
from app.json import Json, JsonObject

MAX_TEXT_CHARS = 2 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 100_000


def read_text(text: str) -> Json:
    """The value of a JSON or YAML text. Raises DefinitionInvalid that says where it stops making sense."""
    if len(text) > MAX_TEXT_CHARS:
        _refuse(f"the text is longer than {MAX_TEXT_CHARS // (1024 * 1024)} MiB")
    value = _read_json(text) if text.lstrip()[:1] in ("{", "[") else _read_yaml(text)
    problems = shape_problems(value)
    if problems:
        raise DefinitionInvalid(problems)
    return value


def _refuse(message: str, hint: str = "") -> NoReturn:
    raise DefinitionInvalid([Problem("", message, hint)])


def _read_json(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        hint = "a text that starts with a bracket is read as JSON: look just before there for a comma, quote or bracket"
        _refuse(f"line {error.lineno}, column {error.colno}: {error.msg}", hint)
    except DefinitionInvalid:
        raise
    except RecursionError:
        _refuse(f"the JSON is nested more than {MAX_DEPTH} levels deep")
    except ValueError:
        _refuse("the JSON has a number with too many digits")


def _unrepeated(pairs: list[tuple[str, Json]]) -> JsonObject:
    made: JsonObject = {}
    for key, value in pairs:
        if key in made:
            _refuse(f"the key '{key}' stands twice in one object")
        made[key] = value
    return made


def _refuse_constant(name: str) -> Json:
    _refuse(f"{name} is no JSON")


def _read_yaml(text: str) -> Json:
    try:
        documents = yaml.load_all(text, Loader=_Loader)  # a safe loader with less, not more
        value = next(documents, None)
        if next(documents, _END) is not _END:
            _refuse("the text holds more than one YAML document", "keep one; apply files one by one")
        return value
    except DefinitionInvalid:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        _refuse(f"{where}{error.problem or error.context or 'unreadable YAML'}", _hint(error))
    except yaml.YAMLError as error:
        _refuse(f"unreadable YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        _refuse(f"the YAML is nested more than {MAX_DEPTH} levels deep")
    except ValueError:
        _refuse("the YAML has a number with too many digits")


_END = object()


def _hint(error: yaml.MarkedYAMLError) -> str:
    problem, context = error.problem or "", error.context or ""
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs; quote texts that start with @, `, % or {{"
    if "flow" in context or "block end" in problem or "mapping values" in problem:
        return "quote texts that start with {{ or [ and those that hold ': '"
    return ""


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """SafeLoader with YAML 1.2's core schema and nothing else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    yaml_constructors: dict[str | None, Any] = {}  # noqa: RUF012
    depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Called for each node before what is inside it. The C library has no limit of its own: it would crash."""
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH:
            _refuse(f"the YAML is nested more than {MAX_DEPTH} levels deep")

    def ascend_resolver(self) -> None:
        self.depth -= 1


_TAG = "tag:yaml.org,2002:"
for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(rf"^{_pattern}$"), _first)


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    try:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    except ValueError:
        raise _marked("the number has too many digits", node) from None


def _float(loader: Any, node: yaml.ScalarNode) -> float:
    value = float(loader.construct_scalar(node))
    if not math.isfinite(value):
        raise _marked("the number is too large", node)
    return value


def _mapping(loader: Any, node: yaml.MappingNode) -> JsonObject:
    made: JsonObject = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            hint = "quote the expression" if isinstance(key_node, yaml.MappingNode) else "quote it"
            raise _marked("a key is no text", key_node, hint)
        if key in made:
            raise _marked(f"the key '{key}' stands twice", key_node)
        made[key] = loader.construct_object(value_node, deep=True)
    return made


def _marked(problem: str, node: yaml.Node, hint: str = "") -> yaml.MarkedYAMLError:
    said = f"{problem}: {hint}" if hint else problem
    return yaml.constructor.ConstructorError(None, None, said, node.start_mark)


def _unknown_tag(loader: Any, node: yaml.Node) -> NoReturn:
    raise _marked(f"the tag {node.tag.replace(_TAG, '!!')} is not part of the language", node)


_Loader.add_constructor(_TAG + "null", lambda loader, node: None)
_Loader.add_constructor(_TAG + "bool", lambda loader, node: loader.construct_scalar(node).lower() == "true")
_Loader.add_constructor(_TAG + "int", _integer)
_Loader.add_constructor(_TAG + "float", _float)
_Loader.add_constructor(_TAG + "str", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor(
    _TAG + "seq", lambda loader, node: [loader.construct_object(child, deep=True) for child in node.value]
)
_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(None, _unknown_tag)


def shape_problems(value: Json) -> list[Problem]:
    """What keeps a value from being storable JSON of a sensible size. Not recursive: values may be deep or cyclic."""
    nodes = 0
    stack: list[tuple[Json, tuple[str | int, ...]]] = [(value, ())]
    while stack:
        part, path = stack.pop()
        nodes += 1
        if len(path) > MAX_DEPTH:
            return [Problem("", f"the document is nested more than {MAX_DEPTH} levels deep")]
        if nodes > MAX_NODES:
            return [Problem("", f"the document has more than {MAX_NODES:,} values")]
        if isinstance(part, dict):
            stack.extend((child, (*path, key)) for key, child in part.items())
            texts = [key for key in part if isinstance(key, str)]
            if len(texts) < len(part):
                return [Problem(format_path(path), "a key is no text", "keys are texts")]
        elif isinstance(part, list):
            stack.extend((child, (*path, index)) for index, child in enumerate(part))
            texts = []
        else:
            texts = [part] if isinstance(part, str) else []
            if not isinstance(part, str | int | float | None) or (isinstance(part, float) and not math.isfinite(part)):
                return [Problem(format_path(path), f"{str(part)[:40]} is no JSON value")]
        if not all(map(is_storable, texts)):
            return [
                Problem(
                    format_path(path),
                    "a text holds a character that cannot be stored",
                    "remove NUL and half characters",
                )
            ]
    return []
