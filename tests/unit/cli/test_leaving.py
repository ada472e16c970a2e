"""How the program leaves: what it printed is out, and the interpreter is not taken down under others' threads."""

import subprocess
import sys

import pytest

LEAVES = """
import atexit, sys
from app.cli import main
{before}
atexit.register(print, "taken down")
main.run = lambda arguments: print("said") or print("told", file=sys.stderr) or 7
main.main()
"""


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("import temporalio.bridge.runtime", "said\n"),
        ("sys.modules.pop('temporalio.bridge', None)", "said\ntaken down\n"),
    ],
)
def test_nothing_is_taken_down_where_the_sdk_may_still_have_threads(before: str, printed: str) -> None:
    program = [sys.executable, "-c", LEAVES.format(before=before)]
    left = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (left.returncode, left.stdout, left.stderr) == (7, printed, "told\n")
