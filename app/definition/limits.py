"""What an expression may use: constants, and the budget that every operation is charged to.

The walk evaluates expressions inside workflow tasks, which must answer within a fraction of two seconds whatever a user
writes. So nothing is timed (a clock would not replay); work is counted instead, in units of about a microsecond.
"""

from typing import Any, NoReturn

from app.definition.errors import LimitError

MAX_TEMPLATE_CHARS = 256 * 1024
"""Longest text that may hold expressions (a whole e-mail body)."""
MAX_TOKENS = 4_000
"""Most tokens in the expressions of one text."""
MAX_DEFINITION_TOKENS = 60_000
"""Most tokens in all expressions of one definition: reading them takes eight microseconds each, and a run may read all
of them in one task."""
MAX_KEPT_TOKENS = 4 * MAX_DEFINITION_TOKENS
"""Tokens of the texts whose trees are kept. A token's part of a tree takes a tenth of a kilobyte."""
MAX_LITERAL_DIGITS = 20_000
"""Digits in a row inside an expression; the lexer takes a microsecond for each."""
MAX_SOURCE_NESTING = 25
"""Deepest nesting of brackets and blocks in the source; the parser needs a dozen stack frames a level."""
MAX_TREE_DEPTH = 80
"""Deepest syntax tree; the evaluator needs two stack frames a level."""
MAX_FOR_NESTING = 3
MAX_RANGE = 10_000
MAX_INTEGER_BITS = 4_096
"""Largest integer arithmetic may give (1,233 digits)."""
MAX_OPERATIONS = 50_000
"""Units of work in one evaluation."""
MAX_ITEM_OPERATIONS = 250_000
"""Units of work in one filter or aggregate step over all its items."""
MAX_CREATED = 1_000_000
"""Characters of text one evaluation may create."""
MAX_RESULT = 2 * 1024 * 1024
"""Size of a result, about its length as JSON; what Temporal and the database take of one step."""
MAX_RESULT_VALUES = 200_000
"""Numbers, texts, lists and so on in a result."""
MAX_VALUE_DEPTH = 100
"""Deepest nesting of a result."""


class Budget:
    """What is left for one evaluation. Charging more than is left raises `LimitError`.

    A price follows from values alone: never from a cache, a clock or the process, or a replay would decide otherwise.
    """

    __slots__ = ("later", "met", "operations", "text")

    def __init__(self, operations: int = MAX_OPERATIONS, text: int = MAX_CREATED) -> None:
        self.operations = operations
        self.text = text
        self.later = 0
        """What of the work was paid by `pay`: runs from before those prices give their task back without it."""
        self.met: dict[tuple[str, str], Any] = {}
        """What was made once for this evaluation, by what it is and its text: patterns, zones, paths."""

    def charge(self, units: int = 1) -> None:
        """Pay for `units` of work, before it is done."""
        self.operations -= units
        if self.operations < 0:
            raise LimitError(
                "the expression takes too much work",
                hint="use a filter, aggregate or loop step for long lists, and shorter ranges",
            )

    def pay(self, units: int) -> None:
        """As `charge`, for what once was free. New prices are paid here: a run that is under way counts what it always
        counted towards the places where it gives its task back."""
        self.later += units
        self.charge(units)

    def require(self, units: int) -> None:
        """Refuse work of at least so many units, which are charged while it is done, before room is taken for it."""
        if units > self.operations:
            self.charge(self.operations + 1)

    def touch(self, chars: int) -> None:
        """Pay for reading so many characters (or list elements) at native speed."""
        self.charge(1 + (chars >> 7))

    def read(self, text: str) -> None:
        """Pay for going through a text once, at native speed; a short one is part of the price of what reads it."""
        self.pay(len(text) >> 7)

    def seek(self, chars: int, wanted: int, *, times: int = 1) -> None:
        """Pay for looking so many times for a text of `wanted` characters in one of `chars`.

        Short texts are searched by comparing at each place, longer ones in one pass: CPython's `fastsearch.h`.
        """
        places = min(max(chars - wanted, 0), 30_000)
        self.pay(times * places * (wanted if chars < 2_500 else min(wanted, 100)) >> 12)

    def require_text(self, chars: int) -> None:
        """Refuse to make more characters than are left, before room is taken for them."""
        if chars > self.text:
            self._refuse_text()

    def create(self, chars: int) -> None:
        """Pay for making a text of so many characters, before it is made."""
        self.text -= chars
        if self.text < 0:
            self._refuse_text()
        self.charge(1 + (chars >> 7))

    def _refuse_text(self) -> NoReturn:
        raise LimitError(
            f"the expression makes more than {MAX_CREATED:,} characters of text", hint="repeat or join less"
        )
