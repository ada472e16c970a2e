"""Slugs: names of workflows for addresses and files, made from what people call them. Pure."""

import re
import unicodedata

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_LENGTH = 100
_ROOM_FOR_NUMBER = 8


def slug_of(name: str) -> str:
    """The slug a name gives: `Größe & Co.` is `grosse-co`; a name without any letter of ours is `workflow`."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug[: MAX_LENGTH - _ROOM_FOR_NUMBER].strip("-") or "workflow"


def free_slug(base: str, taken: set[str]) -> str:
    """`base`, or the first of `base-2`, `base-3`, ... that is not taken."""
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
