"""A `multipart/form-data` body (RFC 7578) taken apart: its parts as they were sent. Bytes in, values out; the body was
read within its limit, and nothing in it is decoded here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 1000


class Malformed(ValueError):
    """The body is no multipart form, or has too many parts. The message says what is wrong."""


@dataclass(frozen=True)
class Part:
    """One part of the form; its name is empty where it has none. `filename` None: it is a field."""

    name: str
    filename: str | None
    content_type: str
    """As it was said."""
    content: bytes


def read_parts(boundary: bytes, body: bytes) -> list[Part]:
    """The parts in their order. Raises `Malformed`."""
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Malformed(str(error) or "the form cannot be read") from None
    if not reader.complete:
        raise Malformed("the form ends before its last boundary")
    return reader.parts


class _Reader:
    """Puts together what the parser finds bit by bit."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value, self._content = bytearray(), bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """By the names the parser has for them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_content,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) == MOST_PARTS:
            raise Malformed(f"the form has more than {MOST_PARTS:,} parts")
        self._headers = {}
        self._content = bytearray()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        filename = options.get(b"filename")
        unsaid = b"application/octet-stream" if filename is not None else b"text/plain"
        self.parts.append(
            Part(
                name=options.get(b"name", b"").decode(errors="replace"),
                filename=None if filename is None else filename.decode(errors="replace"),
                content_type=self._headers.get(b"content-type", unsaid).decode(errors="replace"),
                content=bytes(self._content),
            )
        )

    def _finish(self) -> None:
        self.complete = True
