"""What a run may answer a call with: nothing that ends a header early, nothing that is the server's to say."""

import pytest

from app.definition.errors import ResponseError
from app.definition.responses import MAX_BODY_BYTES, REFUSED_HEADERS, response_of
from app.json import Json


def test_the_body_says_what_it_is_unless_the_headers_do() -> None:
    assert response_of(200, {}, {"a": 1}).headers == {"content-type": "application/json"}
    assert response_of(200, {}, "a").headers == {"content-type": "text/plain; charset=utf-8"}
    assert response_of(200, {"Content-Type": "text/csv"}, "a,b").headers == {"content-type": "text/csv"}
    assert response_of(200, {"X-None": None}, None).headers == {}


def test_the_body_is_sent_as_it_is_or_as_json() -> None:
    assert response_of(200, {}, "é").content == "é".encode()
    assert response_of(200, {}, [1, None, True, "é"]).content == '[1,null,true,"é"]'.encode()
    assert response_of(200, {}, False).content == b"false"
    assert response_of(200, {}, None).content == b""
    assert response_of(200, {}, "\ud800").content == b"?"


def test_numbers_and_texts_are_headers() -> None:
    headers: Json = {"Retry-After": 60, "X-Rate": 0.5, "ETag": '"7"', "X-Empty": ""}
    assert response_of(204, headers, None).headers == {
        "retry-after": "60", "x-rate": "0.5", "etag": '"7"', "x-empty": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (199, {}, None, "status: 199"),
        (101, {}, None, "status: 101"),
        (600, {}, None, "200 to 599"),
        ("200", {}, None, "status: expected a whole number, not a string"),
        (True, {}, None, "status: expected a whole number, not a boolean"),
        (200.0, {}, None, "status: expected a whole number"),
        (200, [], None, "headers: expected an object, not a list"),
        (200, {"X-A": "a\r\nSet-Cookie: b=c"}, None, "headers.X-A: only visible ASCII"),
        (200, {"X-A": "a\nb"}, None, "headers.X-A"),
        (200, {"X-A": "a\x00"}, None, "headers.X-A"),
        (200, {"X-A": " a"}, None, "headers.X-A"),
        (200, {"X-A": "é"}, None, "encode it"),
        (200, {"X-A": ["a"]}, None, "headers.X-A: expected a text or a number, not a list"),
        (200, {"X-A": True}, None, "headers.X-A: expected a text or a number, not a boolean"),
        (200, {"X A": "a"}, None, "no name of a header"),
        (200, {"X-A:": "a"}, None, "no name of a header"),
        (200, {"": "a"}, None, "no name of a header"),
        (200, {"Xé": "a"}, None, "no name of a header"),
        (200, {"X-A": "a", "x-a": "b"}, None, "stands there twice"),
        (200, {f"X-{n}": "a" for n in range(51)}, None, "51 headers"),
        (200, {"X-A": "a" * 9_000}, None, "8,192 bytes"),
        (204, {}, "a", "status 204 has none"),
        (304, {}, {}, "status 304 has none"),
        (200, {}, "x" * (MAX_BODY_BYTES + 1), "1,048,577 bytes"),
        (200, {}, "é" * (MAX_BODY_BYTES // 2 + 1), "1,048,578 bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_field(status: Json, headers: Json, body: Json, told: str) -> None:
    with pytest.raises(ResponseError) as refused:
        response_of(status, headers, body)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", sorted(REFUSED_HEADERS))
def test_headers_of_the_connection_and_the_server_are_refused(name: str) -> None:
    for spelled in (name, name.upper(), name.title()):
        with pytest.raises(ResponseError, match="server's own"):
            response_of(200, {spelled: "a"}, None)
