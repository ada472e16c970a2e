"""The filters of the language by name. A filter that is not in this table does not exist."""

from app.definition.filters import encoding, lists, moments, numbers, objects, texts
from app.definition.filters.base import Filter

FILTERS: dict[str, Filter] = {
    **texts.FILTERS,
    **lists.FILTERS,
    **objects.FILTERS,
    **numbers.FILTERS,
    **moments.FILTERS,
    **encoding.FILTERS,
}
"""Name -> filter with its one-line description; documentation is made from it."""

__all__ = ["FILTERS", "Filter"]
