"""A `multipart/form-data` body (RFC 7578) taken apart. The body was read within its limit; nothing is decoded."""

from typing import TYPE_CHECKING

from python_multipart.exceptions import ParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.problems import Refused
from app.inbound.sendgrid import Part

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 1000
MOST_HEADER_BYTES = 16 * 1024


def read_multipart(body: bytes, content_type: str) -> list[Part]:
    """The parts in their order. Raises `Refused` (400, or 415 for another type)."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(415, "unsupported_media_type", "The body is no multipart/form-data with a boundary.")
    reader = _Reader()
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks())
        parser.write(body)
        parser.finalize()
    except ParseError as error:
        raise Refused(400, "bad_request", f"The form cannot be read: {error}.") from None
    if not reader.complete:
        raise Refused(400, "bad_request", "The form ends before its last part is over.")
    return reader.parts


class _Reader:
    """Puts together what the parser finds bit by bit."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value, self._content = bytearray(), bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """By the names the parser has for them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_content,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise Refused(413, "body_too_large", f"The form has more than {MOST_PARTS} parts.")
        self._headers = {}
        self._content = bytearray()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value[:MOST_HEADER_BYTES])
        self._field, self._value = bytearray(), bytearray()

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        filename = options.get(b"filename")
        kind = self._headers.get(
            b"content-type", b"application/octet-stream" if filename is not None else b"text/plain"
        )
        self.parts.append(
            Part(
                name=options.get(b"name", b"").decode(errors="replace"),
                filename=None if filename is None else filename.decode(errors="replace"),
                content_type=kind.decode("latin-1").partition(";")[0].strip().lower(),
                content=bytes(self._content),
            )
        )

    def _finish(self) -> None:
        self.complete = True
