"""The nearest known name to a misspelt one, for hints. Nothing else lives here."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from heapq import nlargest
from itertools import islice

from app.definition.errors import listing

LONGEST = 64
"""Characters of a name that is compared with others."""
MOST_KNOWN = 500
"""Names that are looked at. Thoroughly compared are `MOST_COMPARED` of them: each may take half a millisecond."""
MOST_COMPARED = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when none is near. Long names are not compared: it would take long."""
    if len(name) > LONGEST:
        return None
    folded = {one.lower(): one for one in islice(known, 4 * MOST_KNOWN) if len(one) <= LONGEST}
    wanted = name.lower()
    letters = Counter(wanted)

    def alike(one: str) -> float:
        return 2 * (letters & Counter(one)).total() / (len(wanted) + len(one) or 1)

    likely = nlargest(MOST_COMPARED, islice(folded, MOST_KNOWN), key=alike)
    found = get_close_matches(wanted, likely, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], *, what: str = "known") -> str:
    """`did you mean 'x'?`, or what there is when nothing is near; empty when there is nothing at all."""
    candidates = list(known)
    if match := nearest(name, candidates):
        return f"did you mean '{match}'?"
    return f"{what}: {listing(candidates)}" if candidates else ""
