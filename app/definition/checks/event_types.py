"""Types of event that look misspelt. Any type is welcome: what is found here is a warning and nothing more.

A type is suspect when its module is known, the type is not, and one that is known differs from it by little: in a
letter or two, or only in how its words are set apart.
"""

from collections.abc import Collection, Iterator

from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.steps import WaitForEventStep
from app.definition.tree import walk_paths
from app.definition.triggers import EventTrigger

MOST_EDITS = 2
SHORT = 5
"""Letters up to which a word may differ in one of them only: `lost` and `list` are near, `won` and `due` are not."""
LONGEST = 100


def check_event_types(definition: Definition, known: Collection[str], findings: Findings) -> None:
    """Warn of each trigger and wait whose type looks like a misspelt one."""
    for place, event in _named(definition):
        meant = likely_meant(event, known)
        if meant is not None:
            message = f"no event of the type '{event[:LONGEST]}' is known"
            findings.add(place, message, f"did you mean '{meant}'? Any type is welcome", severity="warning")


def likely_meant(event: str, known: Collection[str]) -> str | None:
    """The known type, or for a pattern the beginning of known types, that this is probably meant to be. None for what
    is known itself, and for what is like nothing."""
    ending = "*" if event.endswith(".*") else ""
    words = event.removesuffix(".*").split(".")
    if len(event) > LONGEST or event == "*":
        return None
    types = [each.split(".") for each in known]
    if words[0].lower() not in {each[0] for each in types}:
        return None
    candidates = dict.fromkeys(tuple(each[: len(words)] if ending else each) for each in types)
    if tuple(words) in candidates:
        return None
    near = [(edits, each) for each in candidates if (edits := _edits(words, each)) is not None]
    return ".".join((*min(near)[1], *ending)) if near else None


def _named(definition: Definition) -> Iterator[tuple[Path, str]]:
    if isinstance(definition.trigger, EventTrigger):
        yield ("trigger", "event"), definition.trigger.event
    for index, trigger in enumerate(definition.triggers):
        if isinstance(trigger, EventTrigger):
            yield ("triggers", index, "event"), trigger.event
    for place, step in walk_paths(definition):
        if isinstance(step, WaitForEventStep):
            yield (*place, "event"), step.event


def _edits(words: list[str], other: tuple[str, ...]) -> int | None:
    """By how many letters the two differ; None when that is too many for a slip."""
    written, meant = ".".join(words).lower(), ".".join(other)
    if _letters(written) == _letters(meant):
        return 0
    if len(words) != len(other) or words[0].lower() != other[0]:
        return None
    total = 0
    for one, two in zip(written.split("."), other, strict=True):
        edits = 0 if one == two else _distance(one, two)
        if edits > (1 if min(len(one), len(two)) <= SHORT else MOST_EDITS):
            return None
        total += edits
    return total if total <= MOST_EDITS else None


def _letters(text: str) -> str:
    return text.replace(".", "").replace("_", "").replace("-", "")


def _distance(one: str, two: str) -> int:
    """Letters to insert, leave out, replace or swap with the next; more than `MOST_EDITS` counts as one more."""
    if abs(len(one) - len(two)) > MOST_EDITS:
        return MOST_EDITS + 1
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, start=1):
        last, row = row, [i]
        for j, other in enumerate(two, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
