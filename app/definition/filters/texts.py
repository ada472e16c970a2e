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
    run.budget.create(len(text(value, "upper")))
    return str(value).upper()


def lower(run: Run, value: Json) -> str:
    run.budget.create(len(text(value, "lower")))
    return str(value).lower()


def title(run: Run, value: Json) -> str:
    run.budget.create(2 * len(text(value, "title")))
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), str(value))


def capitalize(run: Run, value: Json) -> str:
    run.budget.create(len(text(value, "capitalize")))
    return str(value).capitalize()


def trim(run: Run, value: Json, characters: Json = None) -> str:
    run.budget.create(len(text(value, "trim")))
    return str(value).strip(None if characters is None else text(characters, "trim"))


def replace(run: Run, value: Json, old: Json, new: Json, count: Json = None) -> str:
    source, search, fresh = text(value, "replace"), text(old, "replace"), text(new, "replace")
    most = -1 if count is None else integer(count, "replace", 0, 1_000_000)
    found = source.count(search) if most < 0 else min(source.count(search), most)
    run.budget.create(len(source) + max(found * (len(fresh) - len(search)), 0))
    return source.replace(search, fresh, most)


def split(run: Run, value: Json, separator: Json = None, most: Json = None) -> list[Json]:
    source = text(value, "split")
    parts = -1 if most is None else integer(most, "split", 0, 1_000_000)
    if separator == "":
        run.budget.charge(len(source))
        return list(source)
    mark = None if separator is None else text(separator, "split")
    run.budget.create(len(source))
    run.budget.charge(len(source) // 2 if mark is None else source.count(mark))
    return list(source.split(mark, parts))


def slug(run: Run, value: Json, separator: Json = "-") -> str:
    source, mark = text(value, "slug"), text(separator, "slug")
    run.budget.create(len(source) * 4)
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
    source, fresh = text(value, "regex_replace"), text(replacement, "regex_replace")
    return patterns.substitute(text(pattern, "regex_replace"), fresh, source, most, run.budget)


def regex_search(run: Run, value: Json, pattern: Json) -> Json:
    found = patterns.search(text(pattern, "regex_search"), text(value, "regex_search"), run.budget)
    if found is None:
        return None
    return found.group(1) if found.re.groups else found.group(0)


def string(run: Run, value: Json) -> str:
    return to_text(value, run.budget)


def truncate(run: Run, value: Json, length: Json = 255, end: Json = "…") -> str:
    source, mark = text(value, "truncate"), text(end, "truncate")
    most = integer(length, "truncate", 1, 1_000_000)
    if len(source) <= most:
        return source
    run.budget.create(most)
    return source[: max(most - len(mark), 0)] + mark[:most]


def phone(run: Run, value: Json, country_code: Json = "1") -> str:
    """E.164 (ITU-T): a plus and at most fifteen digits. A number without a country gets `country_code`."""
    source = text(value, "phone").strip()
    code = text(country_code, "phone").lstrip("+")
    run.budget.create(len(source))
    digits = re.sub(r"[\s().\-/]", "", source)
    international = digits.startswith(("+", "00"))
    number = digits.removeprefix("+").removeprefix("00") if international else digits
    if not international:
        # A trunk 0 is dialled inside a country only; North American numbers may carry their own country code.
        number = number.removeprefix("0") if code != "1" else number
        number = number if code == "1" and len(number) == 11 and number.startswith("1") else code + number
    if not re.fullmatch(r"[1-9]\d{6,14}", number, re.ASCII):
        raise ExpressionError(f"'{source[:40]}' is no phone number", hint="seven to fifteen digits, as +4930123456")
    return f"+{number}"


FILTERS: dict[str, Filter] = {
    "upper": Filter(upper, "In capital letters.", "upper"),
    "lower": Filter(lower, "In small letters.", "lower"),
    "title": Filter(title, "Each word with a capital letter.", "title"),
    "capitalize": Filter(capitalize, "The first letter capital, the others small.", "capitalize"),
    "trim": Filter(trim, "Without spaces (or the given characters) at both ends.", "trim(characters)"),
    "replace": Filter(replace, "With one text in place of another.", "replace(old, new, count)"),
    "split": Filter(
        split, "The parts between separators (between runs of spaces without one).", "split(separator, most)"
    ),
    "slug": Filter(slug, "For addresses: small ASCII letters and digits with hyphens between.", "slug(separator)"),
    "regex_replace": Filter(
        regex_replace,
        r"With what a regular expression (RE2) matches replaced; \1 is its first group.",
        "regex_replace(pattern, replacement, count)",
    ),
    "regex_search": Filter(
        regex_search,
        "What a regular expression (RE2) finds: its first group, or the whole match; null when nothing.",
        "regex_search(pattern)",
    ),
    "string": Filter(string, "As text.", "string"),
    "truncate": Filter(truncate, "Cut to a length, with a mark where it was cut.", "truncate(length, end)"),
    "phone": Filter(
        phone,
        "A phone number as E.164 (+4930123456); numbers without a country get the given country code.",
        "phone(country_code='1')",
    ),
}
