"""Text to syntax tree: Jinja's grammar, read by Jinja's own parser, and what of it the language allows.

No code is generated from the tree: `evaluator.py` walks it. Trees are kept in a cache, since a definition's expressions
are few and evaluated often. What a name or a value means is not known here.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from app.definition import limits
from app.definition.errors import ExpressionError, LimitError, shorten

# Looked for where a run of digits begins and nowhere inside it, in whatever base it is written.
_DIGITS = re.compile(rf"(?<!\w)\d[\da-fxo_]{{{limits.MAX_LITERAL_DIGITS},}}", re.IGNORECASE)
_OPENING = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_BLOCKS = frozenset({"if", "for"})
_BLOCK_ENDS = frozenset({"endif", "endfor"})


class _SourceLimits(Extension):
    """Counts tokens and nesting while the parser reads, so that no source can exhaust its stack."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        return _limited(stream)


def _limited(stream: TokenStream) -> Iterator[Token]:
    depth = count = 0
    after_block = False
    for token in stream:
        count += token.type != "data"
        if token.type in _OPENING or (after_block and token.value in _BLOCKS):
            depth += 1
        elif token.type in _CLOSING or (after_block and token.value in _BLOCK_ENDS):
            depth -= 1
        after_block = token.type == "block_begin"
        if depth > limits.MAX_SOURCE_NESTING:
            raise LimitError(f"the expression is nested more than {limits.MAX_SOURCE_NESTING} levels deep")
        if count > limits.MAX_TOKENS:
            raise LimitError(f"the expression has more than {limits.MAX_TOKENS:,} parts")
        yield token


def _grammar(newline: Any) -> jinja2.Environment:
    # The tree is walked by our evaluator and never rendered by Jinja, so autoescape would change nothing.
    return jinja2.Environment(  # noqa: S701
        extensions=[_SourceLimits], keep_trailing_newline=True, newline_sequence=newline, cache_size=0
    )


_GRAMMAR = _grammar("\n")
_GRAMMAR_CRLF = _grammar("\r\n")

_NOT_ALLOWED: dict[type[nodes.Node], str] = {
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.With: "{% with %}",
    nodes.Block: "{% block %}",
    nodes.Extends: "{% extends %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.AssignBlock: "{% set %} without a value",
    nodes.NSRef: "a namespace",
    nodes.Scope: "{% autoescape %}",
    nodes.ScopedEvalContextModifier: "{% autoescape %}",
    nodes.EvalContextModifier: "{% autoescape %}",
}
_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
    *(nodes.Const, nodes.Name, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword),
    *(nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice),
    *(nodes.Concat, nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text that was read. `single` is its expression when it is exactly one `{{ expression }}`, `body` the whole,
    `tokens` about how many tokens were read."""

    body: tuple[nodes.Node, ...]
    single: nodes.Expr | None
    tokens: int


def is_template(text: str) -> bool:
    """Whether a text holds anything to evaluate. All other text stands for itself."""
    return "{{" in text or "{%" in text or "{#" in text


def parse(text: str) -> Parsed:
    """Read a template. Raises ExpressionError for what is no Jinja, what is not allowed and what is too large."""
    return _KEPT.get(text) or _KEPT.keep(text, _parse(text))


class _Trees:
    """Trees that were read of late, by their text. Two generations, of which the elder is dropped when the younger is
    full: reading and writing a dictionary needs no lock, and workflow tasks run in several threads."""

    def __init__(self) -> None:
        self._young: dict[str, Parsed] = {}
        self._old: dict[str, Parsed] = {}
        self._tokens = 0

    def get(self, text: str) -> Parsed | None:
        found = self._young.get(text)
        if found is None and (found := self._old.get(text)) is not None:
            self.keep(text, found)
        return found

    def keep(self, text: str, parsed: Parsed) -> Parsed:
        # A long text weighs what its characters do, here and in the tree; one of them may take four bytes.
        self._tokens += parsed.tokens + (sys.getsizeof(text) >> 6)
        if self._tokens > limits.MAX_KEPT_TOKENS // 2:
            self._old, self._young, self._tokens = self._young, {}, 0
        self._young[text] = parsed
        return parsed


_KEPT = _Trees()


def _parse(text: str) -> Parsed:
    if len(text) > limits.MAX_TEMPLATE_CHARS:
        raise LimitError(f"a text with expressions is longer than {limits.MAX_TEMPLATE_CHARS // 1024} KiB")
    _require_readable(text)
    try:
        tree = (_GRAMMAR_CRLF if "\r\n" in text else _GRAMMAR).parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise _explained(error, text) from None
    except LimitError as error:
        raise LimitError(error.message, expression=text, hint=error.hint) from None
    except RecursionError:
        raise LimitError("the expression is nested too deeply", expression=text) from None
    except ValueError as error:
        # The lexer turns digits and escapes into values itself.
        raise ExpressionError(f"a constant cannot be read: {shorten(str(error))}", expression=text) from None
    count = _check(tree, text) + text.count("{{") + text.count("{%")
    return Parsed(tuple(tree.body), _single(tree), 2 * count)


def _require_readable(text: str) -> None:
    """Refuse what the lexer reads slowly and the parser never sees: thousands of comments, thousands of digits."""
    if text.count("{#") + text.count("{%") > limits.MAX_TOKENS:
        raise LimitError(f"the text has more than {limits.MAX_TOKENS:,} tags and comments", expression=text)
    for digits in _DIGITS.finditer(text):
        opened = max(text.rfind("{{", 0, digits.start()), text.rfind("{%", 0, digits.start()))
        closed = max(text.rfind("}}", 0, digits.start()), text.rfind("%}", 0, digits.start()))
        if opened > closed:
            raise LimitError("a number has too many digits", expression=text)


_ELSEWHERE = {
    "||": "write `or`, or `| default(...)` for what may be missing",
    "&&": "write `and`",
    "!": "write `not`",
}
"""Signs of other languages that no expression has, and what is written instead."""


def _explained(error: jinja2.TemplateSyntaxError, text: str) -> ExpressionError:
    message = error.message or "unreadable"
    line = f" on line {error.lineno}" if "\n" in text else ""
    hint = ""
    if word := next((word for sign, word in _ELSEWHERE.items() if sign in text and f"'{sign[-1]}'" in message), ""):
        hint = word
    elif "'}}'" in message or "'}'" in message or "end of template" in message or "print statement" in message:
        hint = "every {{ needs its }}, every {% its %}, every bracket and quote its end"
    elif "unknown tag" in message:
        hint = "tags are if, elif, else, endif, for, endfor and set"
    return ExpressionError(f"cannot be read{line}: {shorten(message.rstrip('.'))}", expression=text, hint=hint)


def _single(tree: nodes.Template) -> nodes.Expr | None:
    """The one expression a text consists of; a line break after it, as YAML's block texts end with, does not count."""
    if len(tree.body) != 1 or not isinstance(output := tree.body[0], nodes.Output):
        return None
    parts = list(output.nodes)
    if len(parts) == 2 and isinstance(parts[1], nodes.TemplateData) and parts[1].data in ("\n", "\r\n"):
        parts.pop()
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _check(tree: nodes.Template, text: str) -> int:
    """Refuse nodes outside the language, trees too deep to walk and constants that are no JSON. Not recursive.

    Answers with how many nodes there are.
    """
    count = 0
    stack: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while stack:
        node, depth, loops = stack.pop()
        loops += isinstance(node, nodes.For)
        if depth > limits.MAX_TREE_DEPTH:
            raise LimitError(
                f"the expression has more than {limits.MAX_TREE_DEPTH} operations inside each other", expression=text
            )
        if loops > limits.MAX_FOR_NESTING:
            raise LimitError(f"more than {limits.MAX_FOR_NESTING} loops inside each other", expression=text)
        _check_node(node, text)
        stack.extend((child, depth + 1, loops) for child in node.iter_child_nodes())
        count += 1
    return count


def _check_node(node: nodes.Node, text: str) -> None:
    for kind, name in _NOT_ALLOWED.items():
        if isinstance(node, kind):
            raise ExpressionError(f"{name} is not part of the language", expression=text)
    if not isinstance(node, _ALLOWED):
        raise ExpressionError(f"{type(node).__name__} is not part of the language", expression=text)
    if isinstance(node, nodes.Const):
        _check_constant(node.value, text)
    elif isinstance(node, nodes.For) and node.recursive:
        raise ExpressionError("recursive loops are not part of the language", expression=text)
    elif isinstance(node, nodes.Call) and not isinstance(node.node, nodes.Name):
        method = node.node.attr if isinstance(node.node, nodes.Getattr) else ""
        hint = f"use a filter: `| {method}`" if method else ""
        raise ExpressionError("only functions can be called, not what a value holds", expression=text, hint=hint)
    elif isinstance(node, nodes.Call | nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        raise ExpressionError("* and ** in arguments are not part of the language", expression=text)


def _check_constant(value: object, text: str) -> None:
    if isinstance(value, str) and not is_storable(value):
        raise ExpressionError("a text holds NUL or half a character", expression=text)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ExpressionError("a number is too large", expression=text)
    if isinstance(value, int) and value.bit_length() > limits.MAX_INTEGER_BITS:
        raise LimitError("a number has too many digits", expression=text)


def is_storable(text: str) -> bool:
    """Whether a text can be written as UTF-8 (a lone surrogate cannot) and kept by the database (NUL cannot)."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
