"""Conditions of other systems as conditions of ours: other spellings of operators, one word for a list, words between.

Which value a field names is a function the dialect brings.
"""

import re
from collections.abc import Callable, Sequence

from app.definition.condition_operators import OPERATORS, WITHOUT_VALUE
from app.definition.dialects.made import Made
from app.definition.dialects.names import snake
from app.definition.dialects.placeholders import Meaning, constant, field_path, translated
from app.definition.dialects.source import Source
from app.definition.nearest import suggestion
from app.definition.syntax import is_template
from app.json import Json

OPERATOR_NAMES: dict[str, str] = {
    "eq": "equals",
    "equal": "equals",
    "==": "equals",
    "=": "equals",
    "is": "equals",
    "ne": "not_equals",
    "neq": "not_equals",
    "not_equal": "not_equals",
    "!=": "not_equals",
    "is_not": "not_equals",
    "gt": "greater_than",
    ">": "greater_than",
    "gte": "greater_than_or_equals",
    ">=": "greater_than_or_equals",
    "greater_than_or_equal": "greater_than_or_equals",
    "lt": "less_than",
    "<": "less_than",
    "lte": "less_than_or_equals",
    "<=": "less_than_or_equals",
    "less_than_or_equal": "less_than_or_equals",
    "includes": "contains",
    "does_not_contain": "not_contains",
    "begins_with": "starts_with",
    "one_of": "in",
    "regex": "matches",
    "empty": "is_empty",
    "not_empty": "is_not_empty",
    "is_set": "exists",
    "is_not_set": "not_exists",
}
"""Other spellings -> operator. Ours are taken as they are, and both in camel case (`greaterThan`) too."""

_ORDERS = frozenset({"greater_than", "greater_than_or_equals", "less_than", "less_than_or_equals"})
_AS_TEXT = {"equals": "==", "not_equals": "!=", "in": "in", "not_in": "not in"}
_TYPED = re.compile(r"-?\d+(\.\d+)?|true|false", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,10})?", re.ASCII)


def operator(name: str) -> str | None:
    """Ours, or None when there is no such operator."""
    for spelling in (name, name.lower(), snake(name)):
        if spelling in OPERATORS:
            return spelling
        if spelling in OPERATOR_NAMES:
            return OPERATOR_NAMES[spelling]
    return None


def comparison(source: Source, meaning: Meaning, *, fields: Meaning | None = None, also: Sequence[str] = ()) -> Made:
    """`{field, operator, value}`; problems are told to the source.

    `fields` is what a field means where it is no value of the run; `also` are keys read by the caller.
    """
    made = Made(source.place)
    field_key, operator_key = source.key("field", "field_id"), source.key("operator", "op")
    path = field_path(source.text("field", "field_id"), fields or meaning)
    if path is None:
        said = "is more than a path" if source.text(field_key) else "is missing"
        source.error(field_key, f"the field of the comparison {said}", "name one value: trigger.total")
    made.make("field", path or "trigger", source.at(field_key))
    name = source.text("operator", "op")
    known = operator(name)
    if known is None:
        hint = suggestion(name, (*OPERATORS, *OPERATOR_NAMES), what="operators")
        source.error(operator_key, f"unknown operator '{name[:60]}'" if name else "the operator is missing", hint)
    made.make("operator", known or "exists", source.at(operator_key))
    if known not in WITHOUT_VALUE and source.key("value") in source.value:
        made["value"] = translated(_comparable(known, source.any("value")), meaning)
        made.places["value"] = (source.at("value"), True)
    elif known and known not in WITHOUT_VALUE:
        source.error(None, f"'{name}' compares with a value, and there is none", "add value")
    source.known(*also, "id", "value")
    source.done("a comparison")
    return made


def _comparable(known: str | None, value: Json) -> Json:
    """A number that was typed as text, where only a number has an order."""
    if known in _ORDERS and isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    return value


def as_text(made: Made) -> Json:
    """A comparison as other systems make it that put a value into a text before they look at it: `100` is `"100"`.

    It matters where the other side is a text that reads as a number or a boolean; any other comparison stays.
    """
    sign, value = _AS_TEXT.get(str(made["operator"])), made.get("value")
    listed = isinstance(value, list)
    parts = list(value) if isinstance(value, list) else [value]
    scalar = all(
        isinstance(part, str | int | float) and not (isinstance(part, str) and is_template(part)) for part in parts
    )
    typed = any(isinstance(part, str) and _TYPED.fullmatch(part) for part in parts)
    if sign is None or listed != sign.endswith("in") or not scalar or not typed:
        return made
    texts = [part if isinstance(part, str) else constant(part) for part in parts]
    return f"{{{{ ({made['field']} | default(none) | string) {sign} {constant(texts if listed else texts[0])} }}}}"


def group(parts: Sequence[Json], word: str) -> Json:
    """Several conditions as one; a single one stands for itself, none is None."""
    return parts[0] if len(parts) == 1 else {word: list(parts)} if parts else None


def grouped(source: Source, meaning: Meaning, compare: Callable[[Source], Json] | None = None) -> Json:
    """`{operator: and|or, conditions: [...]}`, groups inside it included; None when it holds no condition.

    `compare` reads one comparison where that takes more than a meaning.
    """
    words = {"and": "all", "or": "any", "AND": "all", "OR": "any", "all": "all", "any": "any"}
    key = "logic" if source.has("logic") else "operator"
    word = source.choice(words, key, default="all")
    parts: list[Json] = []
    for member in source.objects("conditions"):
        if "conditions" in member.value:
            inner = grouped(member, meaning, compare)
        else:
            inner = compare(member) if compare else comparison(member, meaning)
        if inner is not None:
            parts.append(inner)
    return group(parts, word)


def chained(sources: Sequence[Source], meaning: Meaning) -> Json:
    """Conditions with `logic` between neighbours: each one's word joins it to the next, and AND binds before OR."""
    ways: list[list[Json]] = [[]]
    for index, source in enumerate(sources):
        made = comparison(source, meaning, also=("logic",))
        if made["operator"] in _ORDERS:
            at = source.at(source.key("operator", "op"))
            source.log.note(at, "holds for numbers alone: an answer that is a text, '10', has no order")
        ways[-1].append(made)
        joined = source.choice({"AND": "and", "OR": "or", "and": "and", "or": "or"}, "logic", default="and")
        if joined == "or" and index < len(sources) - 1:
            ways.append([])
    return group([group(way, "all") for way in ways if way], "any")
