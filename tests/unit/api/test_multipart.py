"""Multipart bodies: parts as they were sent, and what is none."""

import httpx
import pytest

from api.multipart import MOST_PARTS, read_multipart
from api.problems import Refused


def sent(**options: object) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x", **options)  # type: ignore[arg-type]
    return request.read(), request.headers["content-type"]


def test_fields_and_files_are_parts_with_their_bytes() -> None:
    content = bytes(range(256)) * 3
    parts = read_multipart(*sent(data={"from": "ä", "empty": ""}, files={"file1": ("ü.bin", content, "image/png")}))
    assert [(each.name, each.filename, each.content_type) for each in parts] == [
        ("from", None, "text/plain"),
        ("empty", None, "text/plain"),
        ("file1", "ü.bin", "image/png"),
    ]
    assert [each.content for each in parts] == ["ä".encode(), b"", content]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"a=b", "", 415),
        (b"--x--\r\n", "multipart/form-data", 415),
        (b"nothing of the kind", "multipart/form-data; boundary=x", 400),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut', "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data; boundary=x", 400),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(Refused) as caught:
        read_multipart(body, content_type)
    assert caught.value.status == status


def test_a_form_of_too_many_parts_is_refused() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    with pytest.raises(Refused) as caught:
        read_multipart(part * (MOST_PARTS + 1) + b"--x--\r\n", "multipart/form-data; boundary=x")
    assert caught.value.status == 413
