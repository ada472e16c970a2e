"""Who may open connections to others: a few modules, all of them by the egress rule. An action that opened its own
would go round it. (PostgreSQL and Temporal are called by clients of their own, at addresses of the installation.)"""

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).parents[3]
PROCESSES = ("activities", "api", "app", "worker", "workflows")
ELSEWHERE = ("app/cli/", "app/embedded/")
"""What runs for somebody at their own machine: the command line, and the servers it starts there."""
LIBRARIES = (
    "aiohttp", "aiosmtplib", "ftplib", "http.client", "httpx", "imapclient", "imaplib", "poplib", "requests", "smtplib",
    "socket", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc.client",
)  # fmt: skip
CALLS = {"open_connection", "open_unix_connection", "create_connection", "create_datagram_endpoint", "sock_connect"}
OPENING: Mapping[str, set[str]] = MappingProxyType(
    {
        # The rule itself.
        "app/security/egress.py": {"socket", "sock_connect"},
        "app/security/name_lookups.py": {"socket"},
        # By the rule, which makes their sockets or says where they go.
        "activities/http_client.py": {"aiohttp"},
        "app/security/fetching.py": {"aiohttp"},
        "activities/smtp_client.py": {"aiosmtplib"},
        "activities/mailbox.py": {"imapclient", "imaplib"},
        # On loopback: the numbers of Temporal's SDK in the same process.
        "app/observing/serving.py": {"http.client", "socket"},
    }
)
"""What each module may open connections with. All others may only name errors, constants and types of annotations."""


def library_of(name: str) -> str | None:
    return next((each for each in LIBRARIES if name == each or name.startswith(f"{each}.")), None)


def harmless(library: str, attribute: str) -> bool:
    """Whether it is an error or a constant."""
    found = getattr(importlib.import_module(library), attribute, None)
    return isinstance(found, str | int | bytes) or (isinstance(found, type) and issubclass(found, Exception))


def annotations(tree: ast.Module) -> set[ast.AST]:
    """Every node of an annotation."""
    found: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
    return {inner for each in found if each is not None for inner in ast.walk(each)}


def opens(source: str) -> set[str]:
    """What a module could open connections with."""
    if not any(name in source for name in (*LIBRARIES, *CALLS, "urllib", "http import")):
        return set()
    tree = ast.parse(source)
    return set(_imported(tree)) | set(_used(tree, annotations(tree)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            # Under another name it would not be seen where it is used.
            yield from (library for each in node.names if each.asname and (library := library_of(each.name)))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                inner = library_of(f"{node.module}.{each.name}")
                if inner and not (library_of(node.module) and harmless(node.module, each.name)):
                    yield inner


def _used(tree: ast.Module, annotated: set[ast.AST]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node in annotated:
            continue
        library = ast.unparse(node.value)
        if library in LIBRARIES and not harmless(library, node.attr):
            yield library
        if node.attr in CALLS:
            yield node.attr


def test_only_a_few_modules_could_open_a_connection() -> None:
    found = {}
    for path in (path for process in PROCESSES for path in sorted((ROOT / process).rglob("*.py"))):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(ELSEWHERE) and (could := opens(path.read_text())):
            found[name] = could
    assert found == OPENING


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\nsession = aiohttp.ClientSession()",
        "import httpx\nhttpx.get(url)",
        "import httpx as web",
        "from httpx import AsyncClient",
        "from urllib.request import urlopen",
        "import urllib.request\nurllib.request.urlopen(url)",
        "from urllib import request",
        "from aiohttp.client import ClientSession",
        "import socket\nsocket.create_connection(at)",
        "def f(given: socket.socket):\n    socket.socket()",
        "import smtplib\nsmtplib.SMTP(host)",
        "import asyncio\nasync def f():\n    await asyncio.open_connection(host, 25)",
        "async def f(loop):\n    await loop.create_connection(made, host, 25)",
    ],
)
def test_a_module_that_could_is_seen(source: str) -> None:
    assert opens(source)


def test_errors_constants_and_annotations_are_no_connections() -> None:
    assert not opens("import socket\ndef f(given: socket.socket):\n    given.shutdown(socket.SHUT_RDWR)")
    assert not opens("import aiosmtplib\ntry:\n    f()\nexcept aiosmtplib.SMTPException:\n    pass")
    assert not opens("from urllib.parse import urlsplit\nfrom imapclient.exceptions import LoginError")
