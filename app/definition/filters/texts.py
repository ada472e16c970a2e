"""Filters over strings: case, spaces, parts, patterns."""

import re
import unicodedata

from app.definition import patterns
from app.definition.errors import ExpressionError
from app.definition.filters.base import Filter, Run, integer, text
from app.definition.values import to_text
from app.json import Json

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def upper(run: Run, value: Json) -> str:
    run.budget.create(len(text(run, value, "upper")))
    return str(value).upper()


def lower(run: Run, value: Json) -> str:
    run.budget.create(len(text(run, value, "lower")))
    return str(value).lower()


def title(run: Run, value: Json) -> str:
    run.budget.create(2 * len(text(run, value, "title")))
    # A function call for each word.
    run.budget.pay(len(value) >> 2)
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), str(value))


def capitalize(run: Run, value: Json) -> str:
    run.budget.create(len(text(run, value, "capitalize")))
    return str(value).capitalize()


def trim(run: Run, value: Json, characters: Json = None) -> str:
    source = text(run, value, "trim")
    run.budget.create(len(source))
    if characters is None:
        return source.strip()
    # The more different characters, the longer each is looked for among them.
    run.budget.pay(len(text(run, characters, "trim")) >> 5)
    different = "".join(dict.fromkeys(characters))
    run.budget.pay(len(source) * len(different) >> 10)
    return source.strip(different)


def replace(run: Run, value: Json, old: Json, new: Json, count: Json = None) -> str:
    source, search, fresh = text(run, value, "replace"), text(run, old, "replace"), text(run, new, "replace")
    most = -1 if count is None else integer(count, "replace", 0, 1_000_000)
    run.budget.seek(len(source), len(search), times=2)
    found = source.count(search) if most < 0 else min(source.count(search), most)
    run.budget.pay(found >> 4)
    run.budget.create(len(source) + max(found * (len(fresh) - len(search)), 0))
    return source.replace(search, fresh, most)


def split(run: Run, value: Json, separator: Json = None, most: Json = None) -> list[Json]:
    source = text(run, value, "split")
    parts = -1 if most is None else integer(most, "split", 0, 1_000_000)
    if separator == "":
        run.budget.charge(len(source))
        return list(source)
    mark = None if separator is None else text(run, separator, "split")
    run.budget.create(len(source))
    if mark is not None:
        run.budget.seek(len(source), len(mark), times=2)
    run.budget.charge(len(source) // 2 if mark is None else source.count(mark))
    return list(source.split(mark, parts))


def slug(run: Run, value: Json, separator: Json = "-") -> str:
    source, mark = text(run, value, "slug"), text(run, separator, "slug")
    run.budget.create(len(source) * 4)
    run.budget.pay(len(source) >> 4)
    # One character may become eighteen, so a long text is taken apart piece by piece.
    pieces = (_plain(source[start : start + 4_096]) for start in range(0, len(source), 4_096))
    words = re.findall(r"[a-z0-9]+", "".join(pieces))
    run.budget.create(len(words) * len(mark))
    return mark.join(words)


def _plain(source: str) -> str:
    """Small letters and digits of ASCII alone; marks above and below letters fall away."""
    return unicodedata.normalize("NFKD", source.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()


def regex_replace(run: Run, value: Json, pattern: Json, replacement: Json = "", count: Json = 0) -> str:
    most = integer(count, "regex_replace", 0, 1_000_000)
    source, fresh = text(run, value, "regex_replace"), text(run, replacement, "regex_replace")
    return patterns.substitute(text(run, pattern, "regex_replace"), fresh, source, most, run.budget)


def regex_search(run: Run, value: Json, pattern: Json) -> Json:
    found = patterns.search(text(run, pattern, "regex_search"), text(run, value, "regex_search"), run.budget)
    if found is None:
        return None
    return found.group(1) if found.re.groups else found.group(0)


def string(run: Run, value: Json) -> str:
    return to_text(value, run.budget)


def truncate(run: Run, value: Json, length: Json = 255, end: Json = "…") -> str:
    source, mark = text(run, value, "truncate"), text(run, end, "truncate")
    most = integer(length, "truncate", 1, 1_000_000)
    if len(source) <= most:
        return source
    run.budget.create(most)
    return source[: max(most - len(mark), 0)] + mark[:most]


TOO_MANY_DIGITS = 30
"""Characters of a phone number that no prefix, country or bracket brings back to fifteen digits."""
_BETWEEN_DIGITS = str.maketrans(
    dict.fromkeys([*"().-/", *(each for each in map(chr, range(0x3001)) if each.isspace())])
)


def phone(run: Run, value: Json, country_code: Json = "1") -> str:
    """E.164 (ITU-T): a plus and at most fifteen digits. A number without a country gets `country_code`."""
    source = text(run, value, "phone").strip()
    code = text(run, country_code, "phone").lstrip("+")
    run.budget.create(len(source))
    digits = source.translate(_BETWEEN_DIGITS)
    if len(digits) > TOO_MANY_DIGITS:
        raise _no_number(source)
    international = digits.startswith(("+", "00"))
    if international:
        # `+49 (0) 30 ...`: the 0 in brackets is dialled inside the country instead of the code.
        digits = re.sub(r"(\d[\s.\-/]*)\(\s*0\s*\)", r"\1", source, count=1).translate(_BETWEEN_DIGITS)
    number = digits.removeprefix("+").removeprefix("00") if international else digits
    if not international:
        # A trunk 0 is dialled inside a country only; North American numbers may carry their own country code.
        number = number.removeprefix("0") if code != "1" else number
        number = number if code == "1" and len(number) == 11 and number.startswith("1") else code + number
    if not re.fullmatch(r"[1-9]\d{6,14}", number, re.ASCII):
        raise _no_number(source)
    return f"+{number}"


def _no_number(source: str) -> ExpressionError:
    return ExpressionError(f"'{source[:40]}' is no phone number", hint="seven to fifteen digits, as +4930123456")


FILTERS: dict[str, Filter] = {
    "upper": Filter(upper, "In capital letters.", "upper", price=0),
    "lower": Filter(lower, "In small letters.", "lower", price=0),
    "title": Filter(title, "Each word with a capital letter.", "title"),
    "capitalize": Filter(capitalize, "The first letter capital, the others small.", "capitalize", price=0),
    "trim": Filter(trim, "Without spaces (or the given characters) at both ends.", "trim(characters)", price=0),
    "replace": Filter(replace, "With one text in place of another.", "replace(old, new, count)"),
    "split": Filter(
        split, "The parts between separators (between runs of spaces without one).", "split(separator, most)"
    ),
    "slug": Filter(
        slug, "For addresses: small ASCII letters and digits with hyphens between.", "slug(separator)", price=4
    ),
    "regex_replace": Filter(
        regex_replace,
        r"With what a regular expression (RE2) matches replaced; \1 is its first group.",
        "regex_replace(pattern, replacement, count)",
        price=6,
    ),
    "regex_search": Filter(
        regex_search,
        "What a regular expression (RE2) finds: its first group, or the whole match; null when nothing.",
        "regex_search(pattern)",
        price=6,
    ),
    "string": Filter(string, "As text.", "string", price=0),
    "truncate": Filter(truncate, "Cut to a length, with a mark where it was cut.", "truncate(length, end)"),
    "phone": Filter(
        phone,
        "A phone number as E.164 (+4930123456); numbers without a country get the given country code.",
        "phone(country_code='1')",
        price=4,
    ),
}
