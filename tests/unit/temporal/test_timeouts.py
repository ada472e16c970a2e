"""No call to Temporal is left to whatever bound the SDK has for it: each names its own."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client, ScheduleHandle, WorkflowHandle

ROOT = Path(__file__).parents[3]
PROCESSES = ("activities", "api", "app", "worker")


def methods(*kinds: type) -> set[str]:
    """What asks the server: methods that take `rpc_timeout`."""
    functions = [each for kind in kinds for each in inspect.getmembers(kind, inspect.isfunction)]
    return {name for name, function in functions if "rpc_timeout" in inspect.signature(function).parameters}


OF_CLIENT = methods(Client)
OF_HANDLE = methods(WorkflowHandle, ScheduleHandle)
ONLY_TEMPORALS = {
    name for name in OF_CLIENT | OF_HANDLE if re.search("_workflows?$|_update$|_history|_schedules?$", name)
}
RECEIVERS = (
    (re.compile(r"(workflow|operator)_service$"), None, "timeout"),
    (re.compile(r"service_client$"), {"check_health"}, "timeout"),
    (re.compile(r"^Client$"), {"connect"}, "connect_timeout"),
    (re.compile(r"(^|\.)_?client(\(\)\))?$"), OF_CLIENT, "rpc_timeout"),
    (re.compile(r"(^|_)handle$|get_(workflow|schedule)_handle\(.*\)$|handle_of\(.*\)\)?$"), OF_HANDLE, "rpc_timeout"),
    (re.compile(""), ONLY_TEMPORALS, "rpc_timeout"),
)
"""What a call is made on, which of its methods ask the server, and the keyword that bounds such a call."""


def bound_of(call: ast.Call) -> str | None:
    """The keyword that a call needs; None for one that does not ask Temporal."""
    if not isinstance(call.func, ast.Attribute):
        return None
    receiver = ast.unparse(call.func.value)
    for pattern, names, keyword in RECEIVERS:
        if pattern.search(receiver) and (names is None or call.func.attr in names):
            return keyword
    return None


def calls(tree: ast.AST, *, bounded: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    """The calls of a module, and whether each stands in a block that `asyncio.timeout` bounds."""
    for node in ast.iter_child_nodes(tree):
        inside = bounded or (
            isinstance(node, ast.AsyncWith)
            and any(ast.unparse(item.context_expr).startswith("asyncio.timeout") for item in node.items)
        )
        if isinstance(node, ast.Call):
            yield node, inside
        yield from calls(node, bounded=inside)


def unbounded(source: str) -> tuple[int, list[str]]:
    """How many calls ask Temporal, and those of them that nothing bounds."""
    asking = [(call, inside, bound_of(call)) for call, inside in calls(ast.parse(source))]
    asking = [each for each in asking if each[2] is not None]
    missing = [
        f"line {call.lineno}: {ast.unparse(call.func)}"
        for call, inside, keyword in asking
        if not inside and keyword not in {each.arg for each in call.keywords}
    ]
    return len(asking), missing


def test_every_call_to_temporal_names_its_bound() -> None:
    found = 0
    for path in (path for process in PROCESSES for path in (ROOT / process).rglob("*.py")):
        source = path.read_text()
        if "temporal" not in source:
            continue
        asking, missing = unbounded(source)
        assert not missing, path.relative_to(ROOT)
        found += asking
    assert found > 35


@pytest.mark.parametrize(
    "source",
    [
        "await Client.connect(address)",
        "await client.workflow_service.describe_task_queue(request)",
        "await (await platform.temporal.client()).start_workflow(name)",
        "await (await handle_of(platform, run_id)).cancel()",
        "await client.get_workflow_handle(id).terminate(reason=why)",
        "await handle.signal(name)",
        "await anything.fetch_history()",
        "client.list_workflows(query)",
    ],
)
def test_a_call_without_one_is_seen(source: str) -> None:
    assert unbounded(f"async def f():\n    {source}")[0] == 1
    assert unbounded(f"async def f():\n    {source}")[1]
    assert not unbounded(f"async def f():\n    async with asyncio.timeout(3):\n        {source}")[1]
