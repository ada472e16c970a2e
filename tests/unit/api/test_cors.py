"""Pages of listed origins can send every header the API reads, and read every one it answers with."""

import ast
from pathlib import Path

import api
from api import cors
from api.main import create_app
from api.middleware import REQUEST_ID_HEADER
from api.own_responses import RUN_HEADER
from app.services import signing_in

API = Path(api.__file__).parent
ELSEWHERE = ("routes/incoming/*", "routes/hooks.py", "routes/form_pages.py", "routes/codec.py", "routes/oauth_pages.py")
"""What answers outside `/v1`, beside the pages."""
OF_BROWSERS = {"content-length", "content-encoding", "origin", "user-agent"}
"""What browsers put in themselves, or what is read to refuse it."""
SAFE = {"cache-control", "content-security-policy", "permissions-policy", "referrer-policy", "x-frame-options"}
"""What scripts can read anyway, or what is said to the browser alone."""
SAFE |= {"connection", "strict-transport-security", "x-content-type-options"}

TAKEN = {name.lower() for name in cors._TAKEN}
SHOWN = {name.lower() for name in cors._SHOWN}


def trees() -> list[ast.Module]:
    """The sources of what answers under `/v1`."""
    sources = [each for each in API.rglob("*.py") if not any(each.match(path) for path in ELSEWHERE)]
    return [
        ast.parse(each.read_text())
        for each in sources
        if "forms" not in each.parts[-2:] and each.name != "codec_cors.py"
    ]


def of_request(node: ast.AST) -> bool:
    return ast.unparse(node) in ("request.headers", "Headers(scope=scope)")


def of_answer(node: ast.AST) -> bool:
    return ast.unparse(node).endswith("headers")


def read_names() -> set[str]:
    """Names that are asked of a request's headers, in lower case."""
    found = set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        match node:
            case ast.Call(func=ast.Attribute(attr="get", value=of), args=[ast.Constant(value=str(name)), *_]):
                found |= {name.lower()} if of_request(of) else set()
            case ast.Subscript(value=of, slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                found |= {name.lower()} if of_request(of) else set()
    return found


def answered_names() -> set[str]:
    """Names that are put into an answer's headers, in lower case."""
    found = {REQUEST_ID_HEADER.lower(), RUN_HEADER.lower()}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        match node:
            case ast.Subscript(value=of, slice=ast.Constant(value=str(name)), ctx=ast.Store()) if of_answer(of):
                found.add(name.lower())
            case ast.keyword(arg="headers", value=ast.Dict(keys=keys)):
                found |= {key.value.lower() for key in keys if isinstance(key, ast.Constant)}
            case (
                ast.Assign(targets=[ast.Name(id="headers" | "_HEADERS" | "named")], value=value)
                | ast.AnnAssign(target=ast.Name(id="_HEADERS"), value=ast.Dict() as value)
            ):
                dicts = [each for each in ast.walk(value) if isinstance(each, ast.Dict)]
                keys = [key for each in dicts for key in each.keys]
                found |= {key.value.lower() for key in keys if isinstance(key, ast.Constant) and type(key.value) is str}
    return found


def test_every_header_of_the_document_may_be_sent() -> None:
    document = create_app().openapi()
    operations = [each for path, at in document["paths"].items() if path.startswith("/v1/") for each in at.values()]
    named = {
        each["name"].lower()
        for operation in operations
        for each in operation.get("parameters", ())
        if each["in"] == "header"
    }
    assert signing_in.HEADER.lower() in named
    assert named <= TAKEN


def test_every_header_the_api_reads_may_be_sent() -> None:
    found = read_names()
    assert {"content-type", "user-agent"} <= found
    assert found - OF_BROWSERS <= TAKEN


def test_every_header_the_api_answers_with_may_be_read() -> None:
    found = answered_names()
    assert {"location", "etag", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"} <= found
    assert found - SAFE <= SHOWN
