"""`http.request` against a provider that records what it gets: requests as they arrive, answers as they are read."""

import base64
from typing import Any

import pytest
from multidict import CIMultiDict

from activities.base import ActionError
from app.catalog.errors import ErrorType
from tests.support.http_stub import Answer, HttpStub, open_http_stub
from tests.support.invocations import KEY, ActionCaller, connection_of


async def test_a_get_sends_query_headers_and_who_we_are(call: ActionCaller, http_stub: HttpStub) -> None:
    output = await call(
        "http.request",
        {
            "url": f"{http_stub.url}/contacts?page=1",
            "query": {"tag": ["new", "vip"], "limit": 10, "active": True, "left_out": None, "q": "a b&c=d"},
            "headers": {"X-Trace": 42},
        },
    )
    asked = http_stub.requests[0]
    assert (asked.method, asked.path) == ("GET", "/contacts")
    assert asked.query["page"] == "1"
    assert asked.query["limit"] == "10"
    assert asked.query["active"] == "true"
    assert asked.query["q"] == "a b&c=d"
    assert "left_out" not in asked.query
    assert asked.headers["X-Trace"] == "42"
    assert asked.headers["User-Agent"].startswith("Holdfast/")
    assert asked.body == b""
    assert output.status_code == 200
    assert output.body == {"ok": True}
    assert output.headers["content-type"].startswith("application/json")
    assert output.duration_ms > 0


async def test_a_list_in_the_query_repeats_the_name(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("http.request", {"url": f"{http_stub.url}/x?a=%2F", "query": {"tag": ["new", "vip"], "sum": "1+1"}})
    assert http_stub.requests[0].query_string == "a=/&tag=new&tag=vip&sum=1%2B1"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post"])
async def test_every_method_is_sent_as_it_is(call: ActionCaller, http_stub: HttpStub, method: str) -> None:
    await call("http.request", {"url": http_stub.url, "method": method})
    assert http_stub.requests[0].method == method.upper()


async def test_a_head_request_has_an_answer_without_body(call: ActionCaller, http_stub: HttpStub) -> None:
    output = await call("http.request", {"url": http_stub.url, "method": "HEAD"})
    assert (output.status_code, output.body) == (200, None)


@pytest.mark.parametrize("value", [{"name": "Zoë", "n": 12345678901234567890}, [1, None], "text", None, 0, False])
async def test_json_is_sent_as_json(call: ActionCaller, http_stub: HttpStub, value: Any) -> None:
    await call("http.request", {"url": http_stub.url, "method": "POST", "json": value})
    asked = http_stub.requests[0]
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json() == value


async def test_a_form_is_urlencoded(call: ActionCaller, http_stub: HttpStub) -> None:
    form = {"grant_type": "client_credentials", "scope": ["read", "write"], "n": 1, "skipped": None, "u": "ü &"}
    await call("http.request", {"url": http_stub.url, "method": "POST", "form": form})
    asked = http_stub.requests[0]
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body == b"grant_type=client_credentials&scope=read&scope=write&n=1&u=%C3%BC+%26"


async def test_a_raw_body_keeps_its_bytes_and_content_type(call: ActionCaller, http_stub: HttpStub) -> None:
    inputs = {"url": http_stub.url, "method": "PUT", "body": "<a>ü</a>", "content_type": "application/xml"}
    await call("http.request", inputs)
    asked = http_stub.requests[0]
    assert asked.headers["Content-Type"] == "application/xml"
    assert asked.body == "<a>ü</a>".encode()


async def test_a_stable_idempotency_key_goes_along(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("http.request", {"url": http_stub.url, "method": "POST"}, attempt=1)
    await call("http.request", {"url": http_stub.url, "method": "POST"}, attempt=2)
    assert [asked.headers["Idempotency-Key"] for asked in http_stub.requests] == [KEY, KEY]


async def test_an_idempotency_key_of_the_user_wins(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("http.request", {"url": http_stub.url, "headers": {"idempotency-key": "mine"}})
    assert http_stub.requests[0].headers.getall("Idempotency-Key") == ["mine"]  # type: ignore[attr-defined]


# Credentials


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (
            {"type": "basic", "username": "ada", "password": "s:ü"},
            "Authorization",
            f"Basic {base64.b64encode('ada:s:ü'.encode()).decode()}",
        ),
        ({"type": "bearer", "token": "abc.def"}, "Authorization", "Bearer abc.def"),
        ({"type": "api_key", "name": "X-Key", "value": "k1"}, "X-Key", "k1"),
        ({"type": "api_key", "value": "k1", "in": "header"}, "X-API-Key", "k1"),
    ],
)
async def test_credentials_go_into_their_header(
    call: ActionCaller, http_stub: HttpStub, auth: dict[str, Any], header: str, value: str
) -> None:
    await call("http.request", {"url": http_stub.url, "auth": auth})
    assert http_stub.requests[0].headers[header] == value


async def test_an_api_key_can_go_into_the_query(call: ActionCaller, http_stub: HttpStub) -> None:
    auth = {"type": "api_key", "name": "key", "value": "k 1", "in": "query"}
    await call("http.request", {"url": f"{http_stub.url}/?a=1", "auth": auth})
    assert http_stub.requests[0].query == {"a": "1", "key": "k 1"}


async def test_a_connection_gives_base_url_headers_and_credentials(call: ActionCaller, http_stub: HttpStub) -> None:
    connection = connection_of(
        "http",
        {"base_url": f"{http_stub.url}/v2/", "headers": {"Accept-Language": "de", "X-Default": "1"}},
        {"type": "bearer", "token": "secret-token"},
    )
    await call("http.request", {"url": "/contacts/42?x=1", "headers": {"X-Default": "2"}}, connection=connection)
    asked = http_stub.requests[0]
    assert (asked.path, asked.query) == ("/v2/contacts/42", {"x": "1"})
    assert asked.headers["Authorization"] == "Bearer secret-token"
    assert asked.headers["Accept-Language"] == "de"
    assert asked.headers["X-Default"] == "2"


@pytest.mark.parametrize("url", ["contacts", "/contacts", "//evil.example/contacts", "@evil.example/contacts"])
async def test_a_relative_url_cannot_leave_the_origin_of_the_connection(
    call: ActionCaller, http_stub: HttpStub, url: str
) -> None:
    connection = connection_of("http", {"base_url": http_stub.url})
    await call("http.request", {"url": url}, connection=connection)
    assert http_stub.requests[0].path.endswith("contacts")


async def test_credentials_of_a_connection_stay_with_its_origin(call: ActionCaller, http_stub: HttpStub) -> None:
    connection = connection_of(
        "http",
        {"base_url": "https://api.example.com", "headers": {"X-Default": "1"}},
        {"type": "bearer", "token": "secret-token"},
    )
    await call("http.request", {"url": f"{http_stub.url}/x"}, connection=connection)
    assert "Authorization" not in http_stub.requests[0].headers
    assert "X-Default" not in http_stub.requests[0].headers


async def test_auth_none_sends_no_credentials_of_the_connection(call: ActionCaller, http_stub: HttpStub) -> None:
    connection = connection_of("http", {"base_url": http_stub.url}, {"type": "bearer", "token": "secret-token"})
    await call("http.request", {"url": "/x", "auth": {"type": "none"}}, connection=connection)
    assert "Authorization" not in http_stub.requests[0].headers


async def test_a_broken_connection_is_said_without_its_secrets(call: ActionCaller) -> None:
    connection = connection_of(
        "http", {"base_url": "https://api.example.com"}, {"type": "basic", "password": "hunter2"}
    )
    with pytest.raises(ActionError) as caught:
        await call("http.request", {"url": "/x"}, connection=connection)
    assert caught.value.type is ErrorType.CONNECTION_INVALID
    assert "http-main" in caught.value.message
    assert "hunter2" not in caught.value.message


# Answers


@pytest.mark.parametrize(
    ("content_type", "body", "read"),
    [
        ("application/json", b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("application/problem+json; charset=utf-8", b'{"title": "x"}', {"title": "x"}),
        ("application/json", b"12345678901234567890123", 12345678901234567890123),
        ("application/json", b"{broken", "{broken"),
        ("application/json", b'{"a": NaN}', '{"a": NaN}'),
        ("application/json", b"", None),
        ("text/html; charset=iso-8859-1", "Zoë".encode("latin-1"), "Zoë"),
        ("text/plain", "Zoë".encode(), "Zoë"),
        ("application/vnd.x", b"plain enough", "plain enough"),
        ("image/png", b"\x89PNG\x00", {"base64": "iVBORwA=", "content_type": "image/png", "size": 5}),
    ],
)
async def test_a_body_is_read_by_its_content_type(
    call: ActionCaller, http_stub: HttpStub, content_type: str, body: bytes, read: Any
) -> None:
    http_stub.answer("/x", Answer(body=body, headers={"Content-Type": content_type}))
    assert (await call("http.request", {"url": f"{http_stub.url}/x"})).body == read


async def test_response_mapping_takes_values_out_of_the_answer(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(status=201, json={"data": [{"id": 7, "odd key": "v"}]}, headers={"X-Rate": "9"}))
    mapping = {
        "id": "body.data[0].id",
        "odd": 'body.data.0["odd key"]',
        "rate": "headers.X-Rate",
        "status": "status_code",
        "all": "body",
    }
    output = await call("http.request", {"url": f"{http_stub.url}/x", "response_mapping": mapping})
    assert output.mapped == {
        "id": 7,
        "odd": "v",
        "rate": "9",
        "status": 201,
        "all": {"data": [{"id": 7, "odd key": "v"}]},
    }


async def test_a_path_that_leads_nowhere_is_named(call: ActionCaller, http_stub: HttpStub) -> None:
    with pytest.raises(ActionError, match=r"response_mapping\.id.*body\.data\.id") as caught:
        await call("http.request", {"url": http_stub.url, "response_mapping": {"id": "body.data.id"}})
    assert caught.value.type is ErrorType.RESPONSE_MAPPING
    assert not caught.value.type.retryable


async def test_repeated_headers_are_joined(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(headers=CIMultiDict([("X-Many", "1"), ("X-Many", "2")])))
    output = await call("http.request", {"url": f"{http_stub.url}/x"})
    assert output.headers["x-many"] == "1, 2"


@pytest.mark.parametrize(
    ("success_status", "status", "succeeds"),
    [
        ("2xx", 204, True),
        ("2xx", 302, False),
        ([200, 404], 404, True),
        ("200-299, 409", 409, True),
        (["2XX", "404-410"], 405, True),
        (201, 201, True),
        (201, 200, False),
        ([404], 200, False),
        (["5xx"], 503, True),
    ],
)
async def test_success_status_decides_what_is_an_error(
    call: ActionCaller, http_stub: HttpStub, success_status: Any, status: int, succeeds: bool
) -> None:
    http_stub.answer("/x", Answer(status=status))
    inputs = {"url": f"{http_stub.url}/x", "success_status": success_status}
    if succeeds:
        assert (await call("http.request", inputs)).status_code == status
    else:
        with pytest.raises(ActionError) as caught:
            await call("http.request", inputs)
        assert caught.value.provider_code == str(status)


# Redirects


async def test_a_redirect_is_followed(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/old", Answer(status=301, headers={"Location": "/new?x=1"}))
    auth = {"type": "bearer", "token": "secret-token"}
    output = await call("http.request", {"url": f"{http_stub.url}/old", "auth": auth})
    assert output.body == {"ok": True}
    asked = http_stub.asked("/new")[0]
    assert asked.query == {"x": "1"}
    assert asked.headers["Authorization"] == "Bearer secret-token"


@pytest.mark.parametrize(
    ("status", "method", "body"), [(302, "GET", b""), (303, "GET", b""), (307, "POST", b'{"a":1}')]
)
async def test_a_redirected_post_keeps_or_changes_its_method_as_http_says(
    call: ActionCaller, http_stub: HttpStub, status: int, method: str, body: bytes
) -> None:
    http_stub.answer("/old", Answer(status=status, headers={"Location": "/new"}))
    await call("http.request", {"url": f"{http_stub.url}/old", "method": "POST", "json": {"a": 1}})
    asked = http_stub.asked("/new")[0]
    assert (asked.method, asked.body) == (method, body)


async def test_no_credential_follows_a_redirect_to_another_origin(call: ActionCaller, http_stub: HttpStub) -> None:
    connection = connection_of(
        "http",
        {"base_url": http_stub.url, "headers": {"X-Tenant": "t"}},
        {"type": "api_key", "name": "X-Odd-Name", "value": "secret-key"},
    )
    secret = {"Cookie": "session=1", "Authorization": "Bearer x", "X-Own": "secret"}
    async with open_http_stub() as other:
        http_stub.answer("/old", Answer(status=307, headers={"Location": f"{other.url}/new"}))
        await call("http.request", {"url": "/old", "headers": secret}, connection=connection)
        there = other.requests[0].headers
    assert http_stub.requests[0].headers["X-Odd-Name"] == "secret-key"
    assert not {"X-Odd-Name", "X-Tenant", *secret} & set(there)
    assert there["Idempotency-Key"] == KEY
    assert there["User-Agent"].startswith("Holdfast/")


async def test_redirects_can_be_left_alone(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/old", Answer(status=302, headers={"Location": "/new"}))
    inputs = {"url": f"{http_stub.url}/old", "follow_redirects": False, "success_status": ["2xx", 302]}
    output = await call("http.request", inputs)
    assert (output.status_code, output.headers["location"]) == (302, "/new")
    assert http_stub.asked("/new") == []


async def test_a_redirect_loop_ends(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/loop", Answer(status=302, headers={"Location": "/loop"}))
    with pytest.raises(ActionError, match="more than 5 times") as caught:
        await call("http.request", {"url": f"{http_stub.url}/loop"})
    assert caught.value.type is ErrorType.PROVIDER_REJECTED
    assert len(http_stub.requests) == 6


async def test_nothing_is_kept_between_requests(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/login", Answer(headers={"Set-Cookie": "session=secret"}))
    await call("http.request", {"url": f"{http_stub.url}/login"})
    await call("http.request", {"url": f"{http_stub.url}/x"})
    assert "Cookie" not in http_stub.asked("/x")[0].headers
