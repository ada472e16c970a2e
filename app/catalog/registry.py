"""All actions there are, by id and by alias. An entry whose action cannot be done must not stand here."""

from collections.abc import Mapping
from types import MappingProxyType

from app.catalog import email, emitting, transform, web
from app.catalog.base import Action


def _index(entries: tuple[Action, ...]) -> tuple[Mapping[str, Action], Mapping[str, Action]]:
    """Entries by id, and by id and alias; raises `ValueError` when a name is taken twice."""
    named: dict[str, Action] = {}
    for entry in entries:
        for name in (entry.id, *entry.aliases):
            if name in named:
                raise ValueError(f"the name {name!r} is claimed by {named[name].id} and {entry.id}")
            named[name] = entry
    by_id = {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)}
    return MappingProxyType(by_id), MappingProxyType(named)


ACTIONS, LOOKUP = _index((*email.ACTIONS, *emitting.ACTIONS, *web.ACTIONS, *transform.ACTIONS))


def resolve(name: str) -> Action | None:
    """The action of this id or alias."""
    return LOOKUP.get(name)
