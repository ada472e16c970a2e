"""How a text may stand in another: as it is, as URLs, JSON and Python write it, in any mix of these, or in base64.

All of it takes time in proportion to the texts, whatever stands in them, and nothing is kept.
"""

import base64
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

SHORTEST = 4
"""Characters of base64 that are looked for: fewer stand everywhere."""
LEVELS = 2
"""How often escapes are read: JSON may stand in a text of JSON, an address in the query of another."""

_ESCAPE = re.compile(
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"
    rb"|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[bfnrt\"'\\/]"
)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# Forms write a space as a plus, and base64 has two alphabets: either is looked for as if there were one way.
_WAYS = (bytes.maketrans(b"+", b" "), bytes.maketrans(b"-_", b"+/"))
_AS_TEXT, _AS_BASE64 = range(len(_WAYS))


@dataclass(frozen=True)
class Spelling:
    """Bytes that give a text away, and which of the ways of writing them is meant."""

    way: int
    data: bytes


@dataclass(frozen=True)
class Reading:
    """A text in UTF-8, or `source` with its escapes read: `ends` has where each ends in `data`, and `stands` where it
    ends in the source."""

    data: bytes
    source: "Reading | None" = None
    ends: Sequence[int] = ()
    stands: Sequence[int] = ()

    @cached_property
    def _written(self) -> tuple[bytes, ...]:
        return tuple(self.data.translate(way) for way in _WAYS)

    def has(self, spelling: Spelling) -> bool:
        """Whether it stands here."""
        return spelling.data in self._written[spelling.way]

    def spans(self, spelling: Spelling) -> Iterator[tuple[int, int]]:
        """From where to where it stands in the text that nothing was read of yet."""
        written, size = self._written[spelling.way], len(spelling.data)
        start = written.find(spelling.data)
        while start >= 0:
            yield self._place(start), self._place(start + size)
            start = written.find(spelling.data, start + size)

    def _place(self, offset: int) -> int:
        if self.source is None:
            return offset
        last = bisect_right(self.ends, offset) - 1
        if last >= 0:
            offset += self.stands[last] - self.ends[last]
        return self.source._place(offset)


def readings(text: str) -> list[Reading]:
    """The text as it stands, and with its escapes read once and once more, as long as there are any."""
    found = [Reading(text.encode("utf-8", "surrogatepass"))]
    while len(found) <= LEVELS and (further := _read(found[-1])) is not None:
        found.append(further)
    return found


def spellings(text: str) -> Iterator[Spelling]:
    """What to look for in the readings of another text. What seems an escape in this one is read there too."""
    for data in dict.fromkeys(reading.data for reading in readings(text)):
        yield Spelling(_AS_TEXT, data.translate(_WAYS[_AS_TEXT]))
    data = text.encode("utf-8", "surrogatepass")
    alone = base64.b64encode(data)
    for whole in dict.fromkeys((alone, alone.rstrip(b"="))):
        yield Spelling(_AS_BASE64, whole)
    # Inside a longer text the same bytes have three spellings; the letters at the ends depend on what stands beside.
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        inner = whole[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(inner) >= SHORTEST:
            yield Spelling(_AS_BASE64, inner)


def replaced(text: str, known: Iterable[Spelling], instead: str) -> str:
    """The text with something else wherever one of these stands; the text itself where none does."""
    read = readings(text)
    spans = sorted({span for spelling in known for reading in read for span in reading.spans(spelling)})
    if not spans:
        return text
    data, parts, end = read[0].data, [], 0
    for start, stop in spans:
        if start >= end:
            parts += [data[end:start], instead.encode()]
        end = max(end, stop)
    return b"".join((*parts, data[end:])).decode("utf-8", "surrogatepass")


def _read(source: Reading) -> Reading | None:
    """Its escapes read; None where it has none."""
    data, ends, stands, end = bytearray(), array("Q"), array("Q"), 0
    for found in _ESCAPE.finditer(source.data):
        data += source.data[end : found.start()]
        data += _meant(found[0])
        end = found.end()
        ends.append(len(data))
        stands.append(end)
    if not ends:
        return None
    return Reading(bytes(data + source.data[end:]), source, ends, stands)


def _meant(escape: bytes) -> bytes:
    if escape[0] == ord("%"):
        return bytes((int(escape[1:], 16),))
    if len(escape) == 2:
        return _LETTERS.get(escape[1:], escape[1:])
    units = [int(unit, 16) for unit in escape[2:].split(b"\\u")]
    if len(units) == 2:
        return chr(0x10000 + ((units[0] & 0x3FF) << 10 | units[1] & 0x3FF)).encode()
    return chr(units[0]).encode("utf-8", "surrogatepass")
