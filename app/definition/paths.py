"""Paths into JSON values: `a.b[0].c`, `a["x y"]`. Reading them, looking them up, writing them for people."""

import re
from functools import lru_cache

from app.definition.errors import ExpressionError, MissingError, Path, shorten
from app.definition.limits import Budget
from app.definition.values import described
from app.json import Json

MAX_PATH_CHARS = 1_000
_PART = re.compile(r"""\.?(?:\[(-?\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]|([^.\[\]{}\s'"|()]+))""", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Path:
    """The keys and indices of a path. Raises ExpressionError for what is none."""
    parts: list[str | int] = []
    position = 0
    while position < len(text) <= MAX_PATH_CHARS:
        part = _PART.match(text, position)
        if part is None or (position == 0 and part[0].startswith(".")):
            break
        if position and part[4] is not None and not part[0].startswith("."):
            break
        index, single, double, name = part.groups()
        parts.append(
            int(index) if index is not None else next(key for key in (single, double, name) if key is not None)
        )
        position = part.end()
    if not parts or position < len(text):
        hint = "write the path without braces" if "{{" in text else "write it as owner.emails[0].address"
        raise ExpressionError(f"'{shorten(text, 60)}' is no path", hint=hint)
    return tuple(parts)


def path_of(text: str, budget: Budget) -> Path:
    """As `parse_path`, paid for once in an evaluation."""
    path: Path | None = budget.met.get(("path", text))
    if path is None:
        budget.pay(len(text) >> 2)
        path = budget.met["path", text] = parse_path(text)
    return path


def lookup(value: Json, path: Path) -> Json:
    """The part of a value at a path. A number also finds a list's element when written as a name (`items.0`).

    Raises MissingError naming how far the path leads.
    """
    for depth, key in enumerate(path):
        if isinstance(value, dict) and str(key) in value:
            value = value[str(key)]
        elif isinstance(value, list) and (index := _index(key, len(value))) is not None:
            value = value[index]
        else:
            where = format_path(path[:depth]) or described(value)
            raise MissingError(f"{shorten(where)} has no {shorten(repr(key), 60)}", hint=f"it is {described(value)}")
    return value


def find(value: Json, path: Path, absent: Json = None) -> Json:
    """As `lookup`, with `absent` for what is not there: over long lists an error for each element would take long."""
    for key in path:
        if isinstance(value, dict) and str(key) in value:
            value = value[str(key)]
        elif isinstance(value, list) and (index := _index(key, len(value))) is not None:
            value = value[index]
        else:
            return absent
    return value


def _index(key: str | int, length: int) -> int | None:
    index = int(key) if isinstance(key, int) or (key.isascii() and key.isdigit() and len(key) < 10) else None
    return index if index is not None and -length <= index < length else None


def format_path(path: Path) -> str:
    """A path for people and machines: `steps[2].branches[0].steps[1]`, odd keys quoted in brackets."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
