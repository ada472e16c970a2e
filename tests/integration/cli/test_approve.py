"""`holdfast runs approve` against a running API and worker."""

import json

import pytest

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

ASKING = """
name: Asking
steps:
  - id: sign_off
    type: approval
    title: Ship it?
    form: {type: object, required: [n], properties: {n: {type: integer}}}
output: "{{ steps.sign_off.output }}"
"""


async def asking(cli: Cli) -> str:
    """A run that waits for an approval."""
    run_id: str = (await cli("run", "asking", "--json")).json()["id"]

    async def waits() -> bool:
        return run_id in [
            run["id"] for run in (await cli("runs", "list", "--waiting-for", "approval", "--json")).json()
        ]

    await eventually(waits, what="the run asks")
    return run_id


async def test_a_run_is_approved_and_another_rejected(cli: Cli) -> None:
    assert (await cli("apply", "-f", "-", stdin=ASKING)).code == ExitCode.OK
    first, second = await asking(cli), await asking(cli)

    shown = await cli("runs", "show", first)
    wrong = await cli("runs", "approve", first, "--answer", '{"n": "x"}', "--json")
    both = await cli("runs", "approve", first, "--reject", "--answer", "{}")
    approved = await cli("runs", "approve", first, "sign_off", "--answer", '{"n": 3}', "--approver", "Ada")
    rejected = await cli("runs", "approve", second, "--reject", "--comment", "no")

    assert "for an approval" in shown.out
    assert json.loads(wrong.err)["error"]["code"] == "invalid_answer"
    assert both.code == ExitCode.USAGE
    assert (approved.code, rejected.code) == (ExitCode.OK, ExitCode.OK), approved.err + rejected.err
    for run_id, decision in ((first, "approved"), (second, "rejected")):

        async def done(run_id: str = run_id) -> dict[str, object] | None:
            found: dict[str, object] | None = (await cli("runs", "show", run_id, "--json")).json()["output"]
            return found

        output = await eventually(done, what="the run is done")
        assert output is not None
        assert output["decision"] == decision
