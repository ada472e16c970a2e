"""What evaluating a definition can raise, as one small tree. Only the classes stand here; wording is where they arise.

ExpressionError         an expression cannot be read or evaluated
├── MissingError        it names something that is not there; `default` and `is defined` catch this one
├── LimitError          it would take more time or room than an expression may
├── ConditionError      a condition compares what cannot be compared
└── ItemsError          a loop, filter or aggregate got something that is no list, or an item that does not fit
DurationError           a duration, moment or time zone that cannot be read
└── CronError           a line of cron that cannot be read, or that never comes
ResponseError           an answer to an HTTP call that cannot be sent
"""

from collections.abc import Callable, Sequence

Path = tuple[str | int, ...]
"""Keys and indices from a value to a part of it."""


class ExpressionError(ValueError):
    """`message` says what is wrong and names the thing, `hint` the way out, `expression` the text it happened in.

    `path` is where in the evaluated value that text stands, such as `("headers", "X-Id")`. A hint that takes long to
    find is given as a function: `default` and `is defined` meet many errors that nobody ever reads.
    """

    def __init__(
        self, message: str, *, expression: str = "", hint: str | Callable[[], str] = "", path: Path = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression
        self._hint = hint
        self.path = path

    @property
    def hint(self) -> str:
        """The way out; empty when there is none to name."""
        if not isinstance(self._hint, str):
            self._hint = self._hint()
        return self._hint

    def __str__(self) -> str:
        where = f" in {shorten(self.expression)}" if self.expression else ""
        return f"{self.message}{where}{f' ({self.hint})' if self.hint else ''}"


class MissingError(ExpressionError):
    """A name, key or index that is not there."""


class LimitError(ExpressionError):
    """More operations, text, digits or nesting than an expression may use."""


class ConditionError(ExpressionError):
    """A comparison of two values that have no order or no equality; names both types."""


class ItemsError(ExpressionError):
    """What should be a list of fitting items is not."""


class DurationError(ValueError):
    """A duration, moment, time of day or time zone that cannot be read; `hint` shows what can."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class CronError(DurationError):
    """A line that is no cron, that this language does not take, or that never comes."""


class ResponseError(ValueError):
    """A status, header or body that cannot be sent; the message names the field, `hint` the way out."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def shorten(text: str, limit: int = 120) -> str:
    """The text on one line, cut to `limit` characters for a message."""
    line = " ".join(text.split()) if len(text) <= 4 * limit else " ".join(text[: 4 * limit].split()) + "…"
    return line if len(line) <= limit else line[: limit - 1] + "…"


def listing(names: Sequence[str], limit: int = 12) -> str:
    """Names for a message, the first few when there are many: `a, b and 30 more`."""
    shown = ", ".join(shorten(name, 40) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
