"""Arithmetic, order, ranges and loop names: what operators do with JSON values, within the budget.

Integers stay integers: dividing them gives an integer where it comes out even. Booleans are no numbers.
"""

from collections.abc import Callable, Sequence

from app.definition.errors import ExpressionError, LimitError
from app.definition.limits import MAX_INTEGER_BITS, MAX_RANGE, Budget
from app.definition.values import described, is_number, order, require_finite
from app.json import Json, JsonObject

Binary = Callable[[Json, Json, Budget], Json]


def need_number(value: Json, what: str) -> int | float:
    """The value when it is a number; raises ExpressionError naming `what` wanted one."""
    if type(value) is int or type(value) is float:
        return value
    raise ExpressionError(f"{what} needs a number, not {described(value)}")


def elements(value: Json, what: str) -> list[Json]:
    """The elements of a list or the keys of an object; raises ExpressionError naming `what` wanted them."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value)
    raise ExpressionError(f"{what} needs a list, not {described(value)}")


def ordered(operator: str, left: Json, right: Json, budget: Budget) -> bool:
    """lt, lteq, gt and gteq."""
    sign = order(left, right, budget)
    return {"lt": sign < 0, "lteq": sign <= 0, "gt": sign > 0, "gteq": sign >= 0}[operator]


def bounded(result: Json) -> Json:
    """A number as arithmetic may give it: finite, and an integer of at most so many digits."""
    if type(result) is int:
        if result.bit_length() > MAX_INTEGER_BITS:
            raise LimitError("the result has too many digits")
        return result
    if type(result) is float:
        return require_finite(result)
    raise ExpressionError("the result is no real number")


def add(left: Json, right: Json, budget: Budget) -> Json:
    """Sum of numbers, or one string or list after the other."""
    if is_number(left) and is_number(right):
        return bounded(_calculate("+", lambda: left + right))
    if isinstance(left, str) and isinstance(right, str):
        budget.create(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.charge(len(left) + len(right))
        return left + right
    hint = "use ~ to join texts" if isinstance(left, str) or isinstance(right, str) else ""
    raise _unfit("+", left, right, hint)


def multiply(left: Json, right: Json, budget: Budget) -> Json:
    """Product of numbers, or a string or list so many times."""
    if is_number(left) and is_number(right):
        if type(left) is int and type(right) is int and left.bit_length() + right.bit_length() > MAX_INTEGER_BITS + 1:
            raise LimitError("the result has too many digits")
        pay_digits(left, right, budget)
        return bounded(_calculate("*", lambda: left * right))
    if isinstance(left, int) and isinstance(right, str | list):
        left, right = right, left
    if isinstance(left, str) and type(right) is int:
        budget.create(len(left) * max(right, 0))
        return left * max(right, 0) if left else left
    if isinstance(left, list) and type(right) is int:
        budget.charge(len(left) * max(right, 0))
        return left * max(right, 0) if left else []
    raise _unfit("*", left, right)


def pay_digits(left: Json, right: Json, budget: Budget) -> None:
    """Multiplying and dividing integers takes the product of their lengths."""
    if type(left) is int and type(right) is int:
        budget.pay((left.bit_length() >> 8) * (right.bit_length() >> 8) >> 4)


def power(left: Json, right: Json, budget: Budget) -> Json:
    """`left` to the power of `right`, of numbers."""
    base, exponent = _numbers("**", left, right)
    if type(exponent) is int:
        budget.pay(exponent.bit_length() >> 4)
    if (
        type(base) is int
        and type(exponent) is int
        and abs(base) > 1
        and base.bit_length() * exponent > MAX_INTEGER_BITS
    ):
        raise LimitError("the result has too many digits")
    return bounded(_calculate("**", lambda: base**exponent))


def divide(left: Json, right: Json, budget: Budget) -> Json:
    """Quotient; an integer when two integers divide evenly."""
    dividend, divisor = _numbers("/", left, right)
    pay_digits(left, right, budget)
    if type(dividend) is int and type(divisor) is int and divisor != 0 and dividend % divisor == 0:
        return dividend // divisor
    return bounded(_calculate("/", lambda: dividend / divisor))


def subtract(left: Json, right: Json, budget: Budget) -> Json:
    minuend, subtrahend = _numbers("-", left, right)
    return bounded(_calculate("-", lambda: minuend - subtrahend))


def floor_divide(left: Json, right: Json, budget: Budget) -> Json:
    """Quotient rounded down."""
    dividend, divisor = _numbers("//", left, right)
    pay_digits(left, right, budget)
    return bounded(_calculate("//", lambda: dividend // divisor))


def modulo(left: Json, right: Json, budget: Budget) -> Json:
    """Remainder with the divisor's sign. Strings have no % formatting."""
    dividend, divisor = _numbers("%", left, right)
    pay_digits(left, right, budget)
    return bounded(_calculate("%", lambda: dividend % divisor))


def negated(value: Json) -> Json:
    """The number with the other sign."""
    return -need_number(value, "-")


BINARY: dict[str, Binary] = {
    "Add": add,
    "Sub": subtract,
    "Mul": multiply,
    "Div": divide,
    "FloorDiv": floor_divide,
    "Mod": modulo,
    "Pow": power,
}
"""Operators by the name of their syntax node."""


def number_range(args: Sequence[Json], budget: Budget) -> list[Json]:
    """`range(stop)`, `range(start, stop)` or `range(start, stop, step)`, of integers."""
    if not 1 <= len(args) <= 3 or any(type(arg) is not int for arg in args):
        raise ExpressionError("range takes one to three integers: range(stop), range(start, stop, step)")
    if len(args) == 3 and args[2] == 0:
        raise ExpressionError("the step of range is not 0")
    numbers = range(*args)
    # len() itself fails beyond the size of a machine word.
    if numbers and abs(numbers[-1] - numbers[0]) // abs(numbers.step) >= MAX_RANGE:
        raise LimitError(f"range gives more than {MAX_RANGE:,} numbers")
    budget.charge(len(numbers))
    return list(numbers)


def loop_names(index: int, length: int) -> JsonObject:
    """What `loop` holds inside a `{% for %}`, as Jinja has it: `index` from 1, `index0` from 0."""
    return {
        "index": index + 1,
        "index0": index,
        "number": index + 1,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
        "revindex": length - index,
    }


def _numbers(operator: str, left: Json, right: Json) -> tuple[int | float, int | float]:
    if is_number(left) and is_number(right):
        return left, right
    raise _unfit(operator, left, right)


def _calculate(operator: str, calculation: Callable[[], Json]) -> Json:
    try:
        return calculation()
    except ZeroDivisionError:
        raise ExpressionError(f"{operator} divides by zero") from None
    except OverflowError:
        raise ExpressionError("the result is too large for a number") from None


def _unfit(operator: str, left: Json, right: Json, hint: str = "") -> ExpressionError:
    return ExpressionError(f"{operator} does not work between {described(left)} and {described(right)}", hint=hint)
