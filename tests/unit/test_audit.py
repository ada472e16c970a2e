"""The audit of packages: a weakness fails the check, a service that is not there does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "audit.py"
SOUND = {"name": "sound", "version": "1", "vulns": []}
WEAK = {"name": "weak", "version": "2", "vulns": [{"id": "CVE-2030-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def audited(says: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The script, with a program in the place of pip-audit."""
    command = [sys.executable, str(SCRIPT), *options, "--program", sys.executable, "-c", says]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def answering(*packages: object, code: int = 0) -> str:
    return f"import sys; print({json.dumps({'dependencies': packages})!r}); sys.exit({code})"


def test_a_known_weakness_fails_and_is_named() -> None:
    done = audited(answering(SOUND, WEAK, code=1))
    assert done.returncode == 1
    assert "weak 2: CVE-2030-1, mended in 2.1" in done.stderr


def test_sound_packages_pass_and_those_nobody_knows_are_counted() -> None:
    done = audited(answering(SOUND, UNKNOWN))
    assert (done.returncode, done.stderr) == (0, "")
    assert "no known weakness in 1 of 2 packages" in done.stdout


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (answering(UNKNOWN), "knows none of the packages"),
        ("import sys; sys.exit('connection refused')", "connection refused"),
        ("print('{')", "said nothing"),
        ("import time; time.sleep(30)", "more than 0.3 seconds"),
    ],
)
def test_without_an_answer_it_says_so_and_goes_on(says: str, why: str) -> None:
    done = audited(says, "--seconds", "0.3" if "sleep" in says else "60")
    assert done.returncode == 0
    assert "audit: skipped" in done.stderr
    assert why in done.stderr


def test_the_check_audits_what_servers_run() -> None:
    makefile = (SCRIPT.parents[1] / "Makefile").read_text()
    check = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    assert "requirements/audit.py" in check
