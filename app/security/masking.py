"""Hiding texts that must not be kept, wherever and in whatever spelling they come back. Knows nobody's secrets."""

import base64
import json
from urllib.parse import quote, quote_plus

from app.json import Json

HIDDEN = "***"
SHORTEST = 4
"""Characters from which a text is hidden: a shorter one stands everywhere."""


class Mask:
    """Texts to hide in what others answer: as they are, in URLs, in JSON, and in base64 (Basic authorization)."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Hide this text from now on."""
        if len(text) >= SHORTEST:
            found = {*self._texts, *_spellings(text)}
            self._texts = sorted(found, key=len, reverse=True)

    def hidden(self, value: Json) -> Json:
        """The value with the texts hidden, at any depth, in keys and in numbers too."""
        if not self._texts:
            return value
        if isinstance(value, str):
            for text in self._texts:
                value = value.replace(text, HIDDEN)
            return value
        if isinstance(value, list):
            return [self.hidden(part) for part in value]
        if isinstance(value, dict):
            return {self.hidden(name): self.hidden(part) for name, part in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            return HIDDEN if any(text in json.dumps(value) for text in self._texts) else value
        return value


def _spellings(text: str) -> set[str]:
    found = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return found
    found |= {quote(text), quote(text, safe=""), quote_plus(text), quote(text, safe="").lower()}
    # Inside a longer text the same bytes have three spellings; the letters at the ends depend on what stands beside.
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        inner = whole[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(inner) >= SHORTEST + 2:
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {each for each in found if len(each) >= SHORTEST}
