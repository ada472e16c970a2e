"""Reading `multipart/form-data` (RFC 7578): fields, and files kept apart. Bytes in, values out."""

import base64
from collections.abc import Sequence

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.json import Json, JsonObject

MAX_PARTS = 1000


class Malformed(ValueError):
    """The body is no multipart form, or has too many parts. The message says what is wrong."""


class _Part:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.content = bytearray()


class _Parts:
    """Gathers what the parser finds."""

    def __init__(self) -> None:
        self.found: list[_Part] = []
        self.complete = False
        self._name, self._value = bytearray(), bytearray()

    def part_begin(self) -> None:
        if len(self.found) == MAX_PARTS:
            raise Malformed(f"the form has more than {MAX_PARTS:,} parts")
        self.found.append(_Part())

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self.found[-1].headers[self._name.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._name, self._value = bytearray(), bytearray()

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self.found[-1].content += data[start:end]

    def end(self) -> None:
        self.complete = True


def read_form(boundary: bytes, body: bytes) -> tuple[list[tuple[str, str]], list[Json]]:
    """Fields as pairs, and files as `{field, filename, content_type, size, content}` with the content in base64.

    Raises `Malformed`.
    """
    parts = _Parts()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.part_begin,
                "on_header_field": parts.header_field,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_part_data": parts.part_data,
                "on_end": parts.end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Malformed(str(error) or "the form cannot be read") from None
    if not parts.complete:
        raise Malformed("the form ends before its last boundary")
    return _sorted_out(parts.found)


def _sorted_out(parts: Sequence[_Part]) -> tuple[list[tuple[str, str]], list[Json]]:
    fields: list[tuple[str, str]] = []
    files: list[Json] = []
    for part in parts:
        _disposition, options = parse_options_header(part.headers.get("content-disposition", ""))
        name = _text(options.get(b"name"))
        if name is None:
            raise Malformed("a part of the form has no name")
        filename = _text(options.get(b"filename"))
        if filename is None:
            fields.append((name, bytes(part.content).decode("utf-8", "replace")))
        else:
            files.append(_file(name, filename, part))
    return fields, files


def _file(name: str, filename: str, part: _Part) -> JsonObject:
    return {
        "field": name,
        "filename": filename,
        "content_type": part.headers.get("content-type", "application/octet-stream"),
        "size": len(part.content),
        "content": base64.b64encode(part.content).decode(),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
