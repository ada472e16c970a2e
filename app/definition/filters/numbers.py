"""Filters that yield or format numbers. Decimal digits are counted as they are written, so 2.675 rounds to 2.68."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from app.definition.errors import ExpressionError, LimitError
from app.definition.filters.base import Filter, Run, integer, text
from app.definition.limits import MAX_INTEGER_BITS
from app.definition.operations import need_number
from app.definition.values import described, require_finite
from app.json import Json

_ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_MAX_DIGITS = 1_500
# ISO 4217: the sign before the amount, and the minor units where they are not two.
_SIGNS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
    "KRW": "₩",
    "BRL": "R$",
    "CAD": "CA$",
}
_MINOR_UNITS = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "UGX": 0,
    "BHD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
    "JOD": 3,
}


def round_(run: Run, value: Json, digits: Json = 0, method: Json = "common") -> Json:
    number = need_number(value, "round")
    places = integer(digits, "round", -15, 15)
    way = _ROUNDING.get(text(run, method, "round"))
    if way is None:
        raise ExpressionError(f"round has no method '{str(method)[:20]}'", hint="methods are common, ceil and floor")
    if type(number) is int and places >= 0:
        return number
    rounded = _quantized(run, number, places, way)
    return int(rounded) if places <= 0 else require_finite(float(rounded))


def _quantized(run: Run, number: int | float, places: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    if type(number) is int and number.bit_length() > MAX_INTEGER_BITS:
        raise LimitError("the number has too many digits")
    _pay_digits(run, number)
    with localcontext() as context:
        context.prec = _MAX_DIGITS
        return Decimal(repr(number)).quantize(Decimal(1).scaleb(-places), rounding=rounding)


def _pay_digits(run: Run, number: int | float) -> None:
    """Between a number and its decimal digits lies work that grows with the square of their count."""
    if type(number) is int:
        run.budget.pay(number.bit_length() >> 6)


def abs_(run: Run, value: Json) -> Json:
    return abs(need_number(value, "abs"))


_NONE = object()


def int_(run: Run, value: Json, default: Json = _NONE) -> Json:
    try:
        return _whole(run, value)
    except (ValueError, InvalidOperation):
        return _or_default(value, default, "an integer")


def _whole(run: Run, value: Json) -> int:
    if type(value) is int:
        return value
    if type(value) is float:
        return int(require_finite(value))
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and "_" not in value:
        run.budget.pay(len(value) >> 4)
        written = Decimal(value.strip())
        # '1e999999999' is ten characters and a billion digits.
        if written.is_finite() and written.adjusted() < _MAX_DIGITS:
            run.budget.pay(max(written.adjusted(), 0) >> 4)
            return int(written)
    raise ValueError


def float_(run: Run, value: Json, default: Json = _NONE) -> Json:
    try:
        if isinstance(value, str):
            if "_" in text(run, value, "float"):
                raise ValueError
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return require_finite(float(value))
    except (ValueError, OverflowError):
        return _or_default(value, default, "a number")


def _or_default(value: Json, default: Json, wanted: str) -> Json:
    if default is not _NONE:
        return default
    shown = f"'{value[:40]}'" if isinstance(value, str) else described(value)
    raise ExpressionError(f"{shown} is not {wanted}", hint="give a default for what is none: `| int(0)`")


def number(run: Run, value: Json, decimals: Json = None, thousands: Json = ",", point: Json = ".") -> str:
    amount = need_number(value, "number")
    places = (0 if type(amount) is int else None) if decimals is None else integer(decimals, "number", 0, 15)
    return _formatted(run, amount, places, text(run, thousands, "number"), text(run, point, "number"))


def _formatted(run: Run, amount: int | float, places: int | None, thousands: str, point: str) -> str:
    exact = _quantized(run, amount, places) if places is not None else Decimal(repr(amount))
    whole, _, fraction = format(exact, ",f").partition(".")
    run.budget.create(len(whole) * (1 + len(thousands)) + len(fraction) + len(point))
    whole = whole.replace(",", thousands)
    return f"{whole}{point}{fraction}" if fraction else whole


def currency(run: Run, value: Json, code: Json = "USD", decimals: Json = None) -> str:
    amount = need_number(value, "currency")
    unit = text(run, code, "currency").upper()
    if len(unit) != 3 or not (unit.isascii() and unit.isalpha()):
        raise ExpressionError(f"'{unit[:20]}' is no currency code", hint="use ISO 4217, such as EUR")
    places = _MINOR_UNITS.get(unit, 2) if decimals is None else integer(decimals, "currency", 0, 15)
    shown = _formatted(run, abs(amount), places, ",", ".")
    sign = "-" if amount < 0 and any(digit in "123456789" for digit in shown) else ""
    return f"{sign}{_SIGNS[unit]}{shown}" if unit in _SIGNS else f"{sign}{shown} {unit}"


FILTERS: dict[str, Filter] = {
    "round": Filter(
        round_, "Rounded, halves up; methods common, ceil and floor.", "round(digits, method='common')", price=4
    ),
    "abs": Filter(abs_, "Without its sign.", "abs"),
    "int": Filter(int_, "As an integer, without the fraction; the default where it is none.", "int(default)"),
    "float": Filter(float_, "As a number with a fraction; the default where it is none.", "float(default)"),
    "number": Filter(
        number,
        "As text with a mark between thousands and so many decimals.",
        "number(decimals, thousands=',', point='.')",
        price=6,
    ),
    "currency": Filter(
        currency, "An amount as text with its ISO 4217 currency.", "currency(code='USD', decimals)", price=7
    ),
}
