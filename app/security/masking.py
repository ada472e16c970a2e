"""Hiding texts that must not be kept, wherever and in whatever spelling they come back. Knows nobody's secrets."""

import base64
import json
import re
from functools import lru_cache

from app.json import Json

HIDDEN = "***"
SHORTEST = 4
"""Characters from which a text is hidden: a shorter one stands everywhere."""


class Mask:
    """Texts to hide in what others answer: as they are, in URLs, in JSON, and in base64 (Basic authorization)."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, text: str) -> None:
        """Hide this text from now on."""
        if len(text) >= SHORTEST:
            self._texts.add(text)
            self._pattern = None

    def hidden(self, value: Json) -> Json:
        """The value with the texts hidden, at any depth, in keys and in numbers too."""
        if not self._texts:
            return value
        if self._pattern is None:
            self._pattern = _pattern(tuple(sorted(self._texts, key=lambda text: (-len(text), text))))
        if isinstance(value, str):
            return self._pattern.sub(HIDDEN, value)
        if isinstance(value, list):
            return [self.hidden(part) for part in value]
        if isinstance(value, dict):
            return {self.hidden(name): self.hidden(part) for name, part in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            return HIDDEN if self._pattern.search(json.dumps(value)) else value
        return value


@lru_cache(maxsize=256)
def _pattern(longest_first: tuple[str, ...]) -> re.Pattern[str]:
    """Kept, since every attempt hides the same texts and a long one takes half a second to compile."""
    return re.compile("|".join(spelling for each in longest_first for spelling in _spellings(each)))


def _spellings(text: str) -> list[str]:
    """Patterns: the text with each character as it is or as URLs and JSON write it, and its bytes inside base64."""
    found = ["".join(_character(character) for character in text)]
    data = text.encode("utf-8", "surrogatepass")
    # Inside a longer text the same bytes have three spellings; the letters at the ends depend on what stands beside.
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        inner = whole[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(inner) >= SHORTEST:
            found.append(re.escape(inner).replace("\\+", "[-+]").replace("/", "[_/]"))
    return found


def _character(character: str) -> str:
    ways = [re.escape(character), _percent(character)]
    if (escaped := json.dumps(character)[1:-1]) != character:
        ways.append(re.escape(escaped))
    if character == " ":
        ways.append(r"\+")
    if character == "/":
        ways.append(r"\\/")
    return f"(?:{'|'.join(ways)})"


def _percent(character: str) -> str:
    parts = (f"{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    return "".join("%" + "".join(f"[{digit}{digit.upper()}]" for digit in part) for part in parts)
