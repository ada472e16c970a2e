"""What cannot be read is refused with a problem that says where; nothing a client sends answers 500."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.settings import Settings
from tests.integration.api.calls import paths, problem

JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
NOWHERE = "01890000-0000-7000-8000-000000000000"


async def post(
    client: httpx.AsyncClient, body: bytes | str, path: str = "/v1/workflows", **headers: str
) -> httpx.Response:
    return await client.post(path, content=body, headers=JSON | {k.replace("_", "-"): v for k, v in headers.items()})


async def test_the_log_has_what_was_refused_and_where_without_what_stood_there(
    api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.problems")
    sent = await post(api_client, json.dumps({"name": "A" * 999, "a\nb": "my-secret"}))
    found = problem(sent, 422, "invalid_request")
    [line] = [each.getMessage() for each in caplog.records if each.name == "api.problems"]
    assert "422 invalid_request" in line
    assert found["request_id"] in line
    assert all(repr(path) in line for path in paths(found))
    assert "my-secret" not in line
    assert "\n" not in line


async def test_malformed_json_is_refused_with_its_position(api_client: httpx.AsyncClient) -> None:
    found = problem(await post(api_client, '{"name": "x",\n "definition": }'), 400, "malformed_json")
    assert "line 2, column 16" in found["detail"]
    assert found["errors"][0]["hint"].startswith("line 2")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"{", "JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": -Infinity}', "Infinity"),
        (b'{"name": 1e999}', "1e999"),
        (b'{"name": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"name": "x", "name": "y"}', "twice"),
        (b'{"name": "a\x00b"}', "control character"),
        (b'{"name": "x"} {}', "Extra data"),
    ],
)
async def test_what_is_no_json_is_refused(api_client: httpx.AsyncClient, body: bytes, said: str) -> None:
    assert said in problem(await post(api_client, body), 400, "malformed_json")["detail"]


@pytest.mark.parametrize(
    "body",
    [
        "name: [unclosed",
        "name: x\nname: y",
        "name: !!python/object/apply:os.system [ls]",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nname: *c",
        "name: x\n---\nname: y",
        "\tname: x",
    ],
)
async def test_what_is_no_yaml_of_plain_data_is_refused(api_client: httpx.AsyncClient, body: str) -> None:
    answer = await api_client.post("/v1/workflows", content=body, headers=YAML)
    assert answer.status_code in (400, 422), answer.text
    problem(answer, answer.status_code, answer.json()["code"])


async def test_malformed_yaml_is_refused_with_its_line(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/workflows", content="name: x\nsteps: [", headers=YAML)
    assert "line" in problem(answer, 400, "malformed_yaml")["detail"]


@pytest.mark.parametrize("depth", [129, 2_000, 200_000])
@pytest.mark.parametrize("bracket", ["[]", "{}"])
async def test_deep_nesting_is_refused(api_client: httpx.AsyncClient, depth: int, bracket: str) -> None:
    deep = "[" * depth + "]" * depth if bracket == "[]" else '{"a":' * depth + "1" + "}" * depth
    problem(await post(api_client, f'{{"name": "x", "definition": {{"output": {deep}}}}}'), 400, "nested_too_deep")


async def test_nesting_within_the_limit_is_taken(api_client: httpx.AsyncClient) -> None:
    deep = "[" * 90 + "]" * 90
    answer = await post(api_client, f'{{"name": "x", "definition": {{"output": {deep}}}}}')
    assert answer.status_code == 201, answer.text
    assert json.dumps(answer.json()["draft"]["output"]) == deep


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (r'{"name": "a\u0000b"}', "name"),
        (r'{"name": "\ud800"}', "name"),
        (r'{"name": "x", "definition": {"output": {"a": ["\udfff"]}}}', "definition.output.a[0]"),
        (r'{"name": "x", "definition": {"variables": {"a\u0000": 1}}}', "definition.variables.(a key)"),
    ],
)
async def test_text_that_cannot_be_kept_is_refused(api_client: httpx.AsyncClient, body: str, path: str) -> None:
    assert paths(problem(await post(api_client, body), 422, "unstorable_text")) == [path]


async def test_a_whole_surrogate_pair_is_one_character(api_client: httpx.AsyncClient) -> None:
    assert (await post(api_client, r'{"name": "\ud83d\ude00"}')).json()["name"] == "😀"


async def test_text_that_cannot_be_kept_is_refused_in_addresses(api_client: httpx.AsyncClient) -> None:
    found = problem(await api_client.get("/v1/workflows?q=a%00b"), 422, "invalid_request")
    assert paths(found) == ["query.q"]
    found = problem(await api_client.get(f"/v1/workflows/{NOWHERE}/actions/a%00b"), 422, "invalid_request")
    assert paths(found) == ["path.step_id"]
    problem(await api_client.get("/v1/workflows?cursor=%00"), 422, "invalid_request")
    problem(await api_client.get("/v1/catalog/actions/%ff"), 404, "action_not_found")


async def test_a_body_beyond_the_limit_is_refused(api_client: httpx.AsyncClient, settings: Settings) -> None:
    body = json.dumps({"name": "x" * 5_000_000})
    assert len(body) > settings.max_body_bytes
    assert str(settings.max_body_bytes) in problem(await post(api_client, body), 413, "body_too_large")["detail"]


async def test_a_body_in_chunks_without_a_length_is_limited_as_well(api_client: httpx.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b"x" * 100_000

    problem(await api_client.post("/v1/events", content=chunks(), headers=JSON), 413, "body_too_large")
    assert sent < 1_000


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", "image/png"])
async def test_other_content_types_are_refused(api_client: httpx.AsyncClient, content_type: str) -> None:
    answer = await post(api_client, '{"name": "x"}', Content_Type=content_type)
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


async def test_other_character_sets_and_compressed_bodies_are_refused(api_client: httpx.AsyncClient) -> None:
    latin = await post(api_client, '{"name": "x"}', Content_Type="application/json; charset=latin-1")
    problem(latin, 415, "unsupported_media_type")
    problem(await post(api_client, b"\x1f\x8b", Content_Encoding="gzip"), 415, "unsupported_media_type")


async def test_yaml_is_refused_where_no_definition_is_taken(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/v1/connections", content="kind: smtp", headers=YAML)
    problem(answer, 415, "unsupported_media_type")


async def test_unknown_keys_are_refused_by_name(api_client: httpx.AsyncClient) -> None:
    found = problem(await post(api_client, '{"name": "x", "nmae": 1, "tgas": 2}'), 422, "invalid_request")
    assert paths(found) == ["nmae", "tgas"]
    assert found["errors"][1]["hint"] == "did you mean 'tags'?"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("[]", ""),
        ("null", ""),
        ('"text"', ""),
        ("{}", "name"),
        ('{"name": 5}', "name"),
        ('{"name": "x", "tags": "a"}', "tags"),
        ('{"name": "x", "tags": [1]}', "tags[0]"),
        ('{"name": "x", "definition": []}', "definition"),
    ],
)
async def test_wrong_types_are_refused_and_not_converted(api_client: httpx.AsyncClient, body: str, path: str) -> None:
    assert paths(problem(await post(api_client, body), 422, "invalid_request")) == [path]


@pytest.mark.parametrize(
    "path",
    ["/v1/workflows/abc", "/v1/workflows/abc/actions", "/v1/workflows/1/versions", "/v1/runs/abc", "/v1/runs/abc/steps",
     "/v1/runs/abc/stream", "/v1/connections/abc"],
)  # fmt: skip
async def test_an_id_that_is_no_uuid_is_refused(api_client: httpx.AsyncClient, path: str) -> None:
    found = problem(await api_client.get(path), 422, "invalid_request")
    assert paths(found)[0].startswith("path.")


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999"])
async def test_a_version_number_that_is_none_is_refused(api_client: httpx.AsyncClient, number: str) -> None:
    answer = await api_client.get(f"/v1/workflows/{NOWHERE}/versions/{number}")
    assert paths(problem(answer, 422, "invalid_request")) == ["path.number"]


async def test_unknown_query_parameters_are_refused(api_client: httpx.AsyncClient) -> None:
    found = problem(await api_client.get("/v1/workflows?statsu=active"), 422, "invalid_request")
    assert paths(found) == ["query.statsu"]
    assert "status" in found["errors"][0]["hint"]
    problem(await api_client.get(f"/v1/runs/{NOWHERE}?x=1"), 422, "invalid_request")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=gone", "sort=colour"])
async def test_query_parameters_are_checked(api_client: httpx.AsyncClient, query: str) -> None:
    found = problem(await api_client.get(f"/v1/workflows?{query}"), 422, "invalid_request")
    assert paths(found) == [f"query.{query.partition('=')[0]}"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "bnVsbA", "WzFd", "%F0%9F%98%80", "eyJhIjogMX0"])
@pytest.mark.parametrize("resource", ["workflows", "runs", "connections"])
async def test_a_cursor_that_is_not_ours_is_refused(api_client: httpx.AsyncClient, resource: str, cursor: str) -> None:
    problem(await api_client.get(f"/v1/{resource}?cursor={cursor}"), 422, "invalid_cursor")


async def test_an_address_nobody_serves_is_not_found(api_client: httpx.AsyncClient) -> None:
    problem(await api_client.get("/v1/nothing"), 404, "not_found")
    problem(await api_client.get("/v1/workflows/"), 404, "not_found")
    problem(await api_client.get("/"), 404, "not_found")


async def test_a_method_nobody_serves_says_which_are(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.put("/v1/workflows", json={})
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_the_callers_request_id_is_kept_and_nonsense_is_replaced(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.get("/v1/nothing", headers={"X-Request-Id": "mine-1"})
    assert problem(answer, 404, "not_found")["request_id"] == "mine-1"
    for nonsense in ("a b", "x" * 200, "<script>"):
        answer = await api_client.get("/healthz", headers={"X-Request-Id": nonsense})
        assert answer.headers["x-request-id"] != nonsense


async def test_a_problem_has_a_page(api_client: httpx.AsyncClient) -> None:
    found = problem(await api_client.get("/v1/nothing"), 404, "not_found")
    page = await api_client.get(found["type"])
    assert page.status_code == 200
    assert found["title"] in page.text
    problem(await api_client.get("/problems/%3Cscript%3E"), 404, "problem_not_found")
    assert "not_found" in (await api_client.get("/problems")).text


WRITES = [
    ("POST", "/v1/workflows"),
    ("PATCH", f"/v1/workflows/{NOWHERE}"),
    ("POST", f"/v1/workflows/{NOWHERE}/validate"),
    ("POST", f"/v1/workflows/{NOWHERE}/publish"),
    ("POST", f"/v1/workflows/{NOWHERE}/actions"),
    ("POST", f"/v1/workflows/{NOWHERE}/actions/reorder"),
    ("PUT", f"/v1/workflows/{NOWHERE}/actions/x"),
    ("POST", f"/v1/workflows/{NOWHERE}/runs"),
    ("POST", "/v1/events"),
    ("POST", "/v1/connections"),
    ("PATCH", f"/v1/connections/{NOWHERE}"),
    ("PATCH", "/v1/workspace"),
]
BODIES = [
    b"{", b"[]", b"{}", b"null", b"5", b'"x"', b"\xff", b"[[[]]]", b'{"\\u0000": "\\ud800"}', b'{"id": {}, "type": []}',
    b'{"name": null, "definition": null, "input": null, "order": null, "settings": null}',
    b'{"definition": {"steps": [{"type": "action"}, 5, null, {"id": "A B"}], "trigger": 7}}',
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_no_body_answers_500(api_client: httpx.AsyncClient, method: str, path: str) -> None:
    for body in BODIES:
        answer = await api_client.request(method, path, content=body, headers=JSON)
        assert answer.status_code < 500, (body, answer.text)
        if answer.is_error:
            problem(answer, answer.status_code, answer.json()["code"])
