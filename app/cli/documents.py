"""Reading what people hand over: JSON or YAML from a flag, a file, a folder or standard input."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.cli.exits import CliError, ExitCode
from app.json import Json, JsonObject

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")


def value(text: str, *, what: str) -> Json:
    """A value from a flag: JSON or YAML as it stands, `@FILE`, or `-` for standard input. Raises `CliError`."""
    if text == STDIN:
        return _parsed(sys.stdin.read(), f"{what} from standard input")
    if text.startswith("@"):
        return document(Path(text[1:]))
    return _parsed(text, what)


def document(path: Path) -> Json:
    """The document in a file, or on standard input for `-`. Raises `CliError`."""
    if str(path) == STDIN:
        return _parsed(sys.stdin.read(), "standard input")
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise CliError(ExitCode.NOT_FOUND, f"{path} is not there", code="no_such_file") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise CliError(ExitCode.REFUSED, f"{path} cannot be read: {why}", code="unreadable_file") from error
    return _parsed(text, str(path))


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and for a folder the YAML and JSON files right in it. Raises `CliError` when it has none."""
    for path in paths:
        if not _is_folder(path):
            yield path
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise CliError(ExitCode.NOT_FOUND, f"{path} holds no YAML or JSON file", code="no_such_file")
        yield from found


def _is_folder(path: Path) -> bool:
    """False also for what we may not look at: reading it says why."""
    try:
        return path.is_dir()
    except OSError:
        return False


def assignments(pairs: Sequence[str]) -> JsonObject:
    """`name=value` pairs; a value that reads as JSON is that value, any other is text. Raises `CliError` (usage)."""
    found: JsonObject = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise CliError(ExitCode.USAGE, f"{pair!r} is no assignment: write NAME=VALUE")
        found[name] = _json_or_text(text)
    return found


def _json_or_text(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parsed(text: str, what: str) -> Json:
    from app.definition.parse import read_text  # noqa: PLC0415 - loads the whole language
    from app.definition.problems import DefinitionInvalid  # noqa: PLC0415

    try:
        return read_text(text)
    except DefinitionInvalid as error:
        problems = [problem.as_json() for problem in error.problems]
        raise CliError(ExitCode.REFUSED, f"{what} cannot be read", code="unreadable", problems=problems) from error
