"""Multipart bodies: parts as they were sent, and what is none."""

import httpx
import pytest

from app.inbound.multipart import MOST_PARTS, Malformed, read_parts


def sent(**options: object) -> tuple[bytes, bytes]:
    request = httpx.Request("POST", "http://x", **options)  # type: ignore[arg-type]
    return request.headers["content-type"].partition("boundary=")[2].encode(), request.read()


def test_fields_and_files_are_parts_with_their_bytes() -> None:
    content = bytes(range(256)) * 3
    file = ("ü.bin", content, "Image/PNG; x=1")
    parts = read_parts(*sent(data={"from": "ä", "empty": ""}, files={"file1": file, "file2": ("a", b"")}))
    assert [(each.name, each.filename, each.content_type) for each in parts] == [
        ("from", None, "text/plain"),
        ("empty", None, "text/plain"),
        ("file1", "ü.bin", "Image/PNG; x=1"),
        ("file2", "a", "application/octet-stream"),
    ]
    assert [each.content for each in parts] == ["ä".encode(), b"", content, b""]


def test_a_part_without_a_name_has_an_empty_one() -> None:
    assert [part.name for part in read_parts(b"x", b"--x\r\n\r\n1\r\n--x--\r\n")] == [""]


@pytest.mark.parametrize(
    "body",
    [
        b"nothing of the kind",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut',
        b'--x\r\nContent-Disposition: form-data; name="a"' + b";" * 1_000_000 + b"\r\n\r\n1\r\n--x--\r\n",
        b"",
    ],
    ids=["text", "cut", "endless header", "nothing"],
)
def test_what_is_no_form_is_said(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_parts(b"x", body)


def test_a_form_of_too_many_parts_is_said() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert len(read_parts(b"x", part * MOST_PARTS + b"--x--\r\n")) == MOST_PARTS
    with pytest.raises(Malformed, match="1,000"):
        read_parts(b"x", part * (MOST_PARTS + 1) + b"--x--\r\n")
