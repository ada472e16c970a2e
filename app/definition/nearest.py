"""The nearest known name to a misspelt one, for hints. Nothing else lives here."""

from collections.abc import Iterable
from difflib import get_close_matches

from app.definition.errors import listing


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when none is near. Long names are not compared: it would take long."""
    if len(name) > 64:
        return None
    folded = {candidate.lower(): candidate for candidate in known if len(candidate) <= 64}
    found = get_close_matches(name.lower(), list(folded)[:500], n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], *, what: str = "known") -> str:
    """`did you mean 'x'?`, or what there is when nothing is near; empty when there is nothing at all."""
    candidates = list(known)
    if match := nearest(name, candidates):
        return f"did you mean '{match}'?"
    return f"{what}: {listing(candidates)}" if candidates else ""
