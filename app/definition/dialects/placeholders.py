"""`{{ }}` of other systems as expressions of ours: the names in them replaced, all else left alone. Pure text work.

What a name means is a function each dialect brings: from the parts of `steps.lookup.record.name` to an expression.
"""

import re
from collections.abc import Callable, Sequence

from app.definition.errors import ExpressionError, Path
from app.definition.paths import parse_path
from app.definition.syntax import is_template
from app.json import Json

Meaning = Callable[[Sequence[str]], str | None]
"""The expression a dotted name stands for; None leaves it as it is."""

_BRACES = re.compile(r"\{\{([-+]?)(.*?)([-+]?)\}\}", re.DOTALL)
_PURE = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[\w$-]+|\[\d+\])*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FIELD = re.compile(r"[\w$-]+(?:\.[\w$-]+|\[\d+\])*", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<plain>\|\s*\w+|\bis\s+(?:not\s+)?\w+|\b\w+\s*(?=\()|\b\w+\s*=(?!=)|\d[\w.]*)"""
    r"""|(?P<name>(?<![\w.\])}])[A-Za-z_]\w*(?:\.\w+|\[\d+\])*)""",
    re.ASCII,
)
_WORDS = frozenset(
    (
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "null",
        "loop",
        "now",
    )
)


def translated(value: Json, meaning: Meaning) -> Json:
    """The value with the names in all its placeholders replaced, at any depth."""
    if isinstance(value, str):
        return _text(value, meaning) if is_template(value) else value
    if isinstance(value, dict):
        return {key: translated(part, meaning) for key, part in value.items()}
    if isinstance(value, list):
        return [translated(part, meaning) for part in value]
    return value


def _text(text: str, meaning: Meaning) -> str:
    return _BRACES.sub(lambda found: f"{{{{{found[1]} {_expression(found[2].strip(), meaning)} {found[3]}}}}}", text)


def _expression(inside: str, meaning: Meaning) -> str:
    if _PURE.fullmatch(inside):
        return inside if inside in _WORDS else _meant(inside, meaning)
    return _TOKEN.sub(
        lambda found: found[0] if found["name"] is None else _in_expression(found["name"], meaning), inside
    )


def _in_expression(name: str, meaning: Meaning) -> str:
    if name in _WORDS:
        return name
    meant = _meant(name, meaning)
    return meant if _PURE.fullmatch(meant) else f"({meant})"


def _meant(name: str, meaning: Meaning) -> str:
    parts = [part for part in re.split(r"[.\[\]]+", name) if part]
    return meaning(parts) or dotted(parts)


def dotted(parts: Sequence[str]) -> str:
    """Parts as one path, of data and in expressions alike: numbers and names with a dash in brackets."""
    text = parts[0]
    for part in parts[1:]:
        if part.isdecimal() and len(part) < 10:
            text += f"[{int(part)}]"
        else:
            text += f".{part}" if _NAME.fullmatch(part) else f'["{part}"]'
    return text


def names_in(value: Json) -> set[str]:
    """The first parts of all names in the placeholders of a value."""
    found: set[str] = set()

    def seen(parts: Sequence[str]) -> None:
        found.add(parts[0])

    translated(value, seen)
    return found


def field_path(text: str, meaning: Meaning) -> str | None:
    """The path a condition's `field` stands for, with or without braces; None when it is more than a path."""
    bare = text.strip()
    if inside := re.fullmatch(r"\{\{([^{}]*)\}\}", bare):
        bare = inside[1].strip()
    if not (_PURE if inside else _FIELD).fullmatch(bare):
        return None
    meant = _meant(bare, meaning)
    return meant if _is_path(meant) else None


def _is_path(text: str) -> bool:
    try:
        path: Path = parse_path(text)
    except ExpressionError:
        return False
    return bool(path)
