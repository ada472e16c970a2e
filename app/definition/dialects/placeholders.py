"""`{{ }}` and `{% %}` of other systems as ours: the names in them replaced, all else left alone. Pure text work.

What a name means is a function each dialect brings: from the parts of `steps.lookup.record.name` to an expression. What
a `for` or a `set` of the same text names is no name of the dialect's.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.definition.errors import ExpressionError, Path
from app.definition.paths import parse_path
from app.definition.syntax import is_template
from app.json import Json

Meaning = Callable[[Sequence[str]], str | None]
"""The expression a dotted name stands for; None leaves it as it is."""

_OPENING = re.compile(r"\{\{|\{%|\{#")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_BLOCK = re.compile(r"(?P<word>for|set|if|elif)\b\s*(?P<rest>.*)", re.ASCII | re.DOTALL)
_IN = re.compile(r"\sin\s")
_FILTERING = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.?)*(?:"|\Z)|'(?:[^'\\]|\\.?)*(?:'|\Z))|(?P<open>[(\[{])|[)\]}]|\bif\b""", re.DOTALL
)
_PURE = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[\w$-]+|\[\d+\])*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FIELD = re.compile(r"[\w$-]+(?:\.[\w$-]+|\[\d+\])*", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.?)*(?:"|\Z)|'(?:[^'\\]|\\.?)*(?:'|\Z))"""
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
    """The text with the names in all its expressions and blocks replaced; what has no end is left to the parser."""
    template, pieces, here = _Template(meaning), [], 0
    while opening := _OPENING.search(text, here):
        start, kind = opening.end(), opening[0]
        end = text.find(_CLOSING[kind], start)
        if end < 0:
            break
        inside, after = text[start:end], end + 2
        if kind == "{%" and inside.strip("-+ \t\r\n") == "raw":
            if (literal := _ENDRAW.search(text, after)) is None:
                break
            after = literal.end()
        elif kind != "{#":
            pieces += [text[here:start], template.replaced(kind, inside), text[end:after]]
            here = after
            continue
        pieces.append(text[here:after])
        here = after
    return "".join([*pieces, text[here:]])


@dataclass
class _Template:
    """A text while it is read: the blocks that are open, and the names that are the text's own in each `for`."""

    meaning: Meaning
    _blocks: list[str] = field(default_factory=list)
    _loops: list[list[str]] = field(default_factory=list)
    _names: Counter[str] = field(default_factory=Counter)

    def replaced(self, kind: str, inside: str) -> str:
        """What stands between braces, with its names replaced."""
        left = inside[:1] if inside[:1] in ("-", "+") else ""
        right = inside[-1:] if inside[-1:] in ("-", "+") and len(inside) > 1 else ""
        bare = inside[len(left) : len(inside) - len(right)].strip()
        return f"{left} {_expression(bare, self._meaning) if kind == '{{' else self._block(bare)} {right}"

    def _meaning(self, parts: Sequence[str]) -> str | None:
        return dotted(parts) if self._names[parts[0]] else self.meaning(parts)

    def _block(self, inside: str) -> str:
        if found := _BLOCK.fullmatch(inside):
            return self._opened(found["word"], found["rest"]) or inside
        if inside == "else" and self._blocks[-1:] == ["for"]:
            self._forget(self._loops[-1])
        elif inside in ("endif", "endfor") and self._blocks and self._blocks.pop() == "for":
            self._forget(self._loops.pop())
        return inside

    def _opened(self, word: str, rest: str) -> str | None:
        if word in ("if", "elif"):
            if word == "if":
                self._blocks.append("if")
            return f"{word} {self._inner(rest)}"
        if word == "set":
            targets, equals, value = rest.partition("=")
            said = f"set {targets.strip()} = {self._inner(value)}"
            self._own(targets)
            return said if equals else None
        if (before := _IN.search(rest)) is None:
            return None
        # The items are read where the loop stands, what filters them sees the loop's names.
        targets = rest[: before.start()]
        items, condition = _items(rest[before.end() :])
        said = f"for {targets} in {self._inner(items)}"
        self._blocks.append("for")
        self._loops.append([])
        self._own(f"loop {targets}")
        return said if condition is None else f"{said} if {self._inner(condition)}"

    def _own(self, targets: str) -> None:
        """Names of the text's own: until the end of the loop around them."""
        names = _NAME.findall(targets)
        self._names.update(names)
        if self._loops:
            self._loops[-1] += names

    def _forget(self, names: list[str]) -> None:
        self._names.subtract(names)
        names.clear()

    def _inner(self, text: str) -> str:
        """An expression with other words around it: a name that stands for more than a path comes in brackets."""
        bare = text.strip()
        if _PURE.fullmatch(bare):
            return _in_expression(bare, self._meaning)
        return _expression(bare, self._meaning)


def _items(text: str) -> tuple[str, str | None]:
    """What a `for` goes over, and the condition that filters it."""
    depth = 0
    for found in _FILTERING.finditer(text):
        if found["open"]:
            depth += 1
        elif found[0] in (")", "]", "}"):
            depth -= 1
        elif found[0] == "if" and depth == 0:
            return text[: found.start()], text[found.end() :]
    return text, None


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


def constant(value: Json) -> str:
    """A constant as an expression."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{constant(key)}: {constant(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(constant, value)) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return "'" + escaped.replace("{", "\\x7b").replace("}", "\\x7d").replace("%", "\\x25") + "'"
    return str(value)


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
