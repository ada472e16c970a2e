"""Regular expressions: RE2 alone, whose matching takes time linear in the text whatever the pattern."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import re2

from app.definition.errors import ExpressionError, LimitError, shorten
from app.definition.limits import Budget

MAX_PATTERN_CHARS = 1_000
MAX_PATTERN_BYTES = 256 * 1024
"""Memory RE2 may spend on one pattern; nested repetitions such as `((a{100}){100}){10}` would need more."""

Pattern: TypeAlias = Any
"""A compiled RE2 pattern, or a match; the library has no types."""

_GROUP = re.compile(r"\\(?:([1-9][0-9]?)|g<(\w+)>|(\\))", re.ASCII)


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Pattern:
    """The pattern, ready to match. Raises ExpressionError for what RE2 cannot read and for what is too large."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise LimitError(f"the regular expression is longer than {MAX_PATTERN_CHARS:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    try:
        return re2.compile(pattern, options=options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else "no text"
        raise ExpressionError(
            f"'{shorten(pattern, 60)}' is no regular expression: {reason}",
            hint="RE2 syntax: no look-ahead, no look-behind and no back-references",
        ) from None


def _charged(pattern: str, budget: Budget) -> Pattern:
    """The pattern, paid for once in an evaluation: whether this process has met it before counts for nothing."""
    expression = budget.met.get(("pattern", pattern))
    if expression is None:
        budget.pay(100)
        expression = compiled(pattern)
        budget.pay(2 * expression.programsize)
        budget.met["pattern", pattern] = expression
    return expression


def search(pattern: str, text: str, budget: Budget) -> Pattern | None:
    """The first match anywhere in the text. One pass costs at most the text's length times the pattern's size."""
    expression = _charged(pattern, budget)
    budget.charge(1 + (len(text) * expression.programsize >> 8))
    return expression.search(text)


def matches(pattern: str, text: str, budget: Budget) -> Iterator[Pattern]:
    """All matches from left to right. A pattern may look far ahead for each, so each pays for the rest of the text."""
    expression = _charged(pattern, budget)
    size = expression.programsize
    budget.charge(1 + (len(text) * size >> 8))
    for match in expression.finditer(text):
        budget.charge(6 + ((len(text) - match.end()) * size >> 12))
        yield match


def substitute(pattern: str, replacement: str, text: str, most: int, budget: Budget) -> str:
    r"""The text with its first `most` matches (0 = all) replaced; `\1`, `\g<name>` stand for groups."""
    fresh = Replacement(replacement, budget)
    pieces: list[str] = []
    end = 0
    for number, match in enumerate(matches(pattern, text, budget), start=1):
        pieces += (text[end : match.start()], fresh.expanded(match, match.start() - end, budget))
        end = match.end()
        if number == most:
            break
    budget.create(len(text) - end)
    pieces.append(text[end:])
    return "".join(pieces)


class Replacement:
    """What stands in place of a match, taken apart once: texts, and the groups between them."""

    def __init__(self, written: str, budget: Budget) -> None:
        budget.pay(written.count("\\"))
        self._parts: list[str | Group] = []
        end = 0
        for reference in _GROUP.finditer(written):
            self._parts += (written[end : reference.start()], _group(reference))
            end = reference.end()
        self._parts.append(written[end:])
        self._chars = sum(len(part) for part in self._parts if isinstance(part, str))
        self._groups = Counter(part for part in self._parts if isinstance(part, Group))

    def expanded(self, match: Pattern, before: int, budget: Budget) -> str:
        """It with the match's groups put in, paid for before it is made, with the `before` characters in front of it.

        Raises ExpressionError for a group the pattern does not have.
        """
        found: dict[Group, str] = {}
        chars = before + self._chars
        for group, times in self._groups.items():
            found[group] = _text_of(group, match)
            chars += times * len(found[group])
            budget.require_text(chars)
        budget.create(chars)
        budget.pay(len(self._parts) >> 2)
        return "".join([part if isinstance(part, str) else found[part] for part in self._parts])


class Group(NamedTuple):
    """A group of a match, by its number or name."""

    wanted: int | str


def _group(reference: re.Match[str]) -> "str | Group":
    if reference[3]:
        return "\\"
    wanted = reference[1] or reference[2]
    return Group(int(wanted) if wanted.isdigit() else wanted)


def _text_of(group: Group, match: Pattern) -> str:
    try:
        found: str | None = match[group.wanted]
    except IndexError:
        raise ExpressionError(
            f"the regular expression has no group '{shorten(str(group.wanted), 60)}'",
            hint=r"groups are \1, \2 or \g<name>",
        ) from None
    return found or ""
