"""Regular expressions: RE2 alone, whose matching takes time linear in the text whatever the pattern."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

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


def search(pattern: str, text: str, budget: Budget) -> Pattern | None:
    """The first match anywhere in the text. One pass costs at most the text's length times the pattern's size."""
    expression = compiled(pattern)
    budget.charge(1 + (len(text) * expression.programsize >> 8))
    return expression.search(text)


def matches(pattern: str, text: str, budget: Budget) -> Iterator[Pattern]:
    """All matches from left to right. A pattern may look far ahead for each, so each pays for the rest of the text."""
    expression = compiled(pattern)
    size = expression.programsize
    budget.charge(1 + (len(text) * size >> 8))
    for match in expression.finditer(text):
        budget.charge(6 + ((len(text) - match.end()) * size >> 12))
        yield match


def substitute(pattern: str, replacement: str, text: str, most: int, budget: Budget) -> str:
    r"""The text with its first `most` matches (0 = all) replaced; `\1`, `\g<name>` stand for groups."""
    pieces: list[str] = []
    end = 0
    for number, match in enumerate(matches(pattern, text, budget), start=1):
        pieces += (text[end : match.start()], expanded(replacement, match))
        budget.create(len(pieces[-1]) + len(pieces[-2]))
        end = match.end()
        if number == most:
            break
    budget.create(len(text) - end)
    pieces.append(text[end:])
    return "".join(pieces)


def expanded(replacement: str, match: Pattern) -> str:
    """The replacement with the match's groups put in. Raises ExpressionError for a group the pattern does not have."""

    def group(reference: re.Match[str]) -> str:
        if reference[3]:
            return "\\"
        wanted: Any = int(reference[1]) if reference[1] else reference[2]
        try:
            return match[int(wanted) if str(wanted).isdigit() else wanted] or ""
        except IndexError:
            raise ExpressionError(
                f"the regular expression has no group '{wanted}'", hint=r"groups are \1, \2 or \g<name>"
            ) from None

    return _GROUP.sub(group, replacement) if "\\" in replacement else replacement
