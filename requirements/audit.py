"""Ask an advisory service whether a package that servers run has a known weakness: `python requirements/audit.py`.

Exits with 1 when one has. Where the service cannot be reached, or not in time, it says so and goes on: a machine
without network must still be able to check its code. Part of `make check`; needs nothing but pip-audit.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINNED = Path(__file__).with_name("server.txt")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="requirements/audit.py", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="most seconds in all (60)")
    parser.add_argument("--patience", type=int, default=3, help="most seconds without a word from the service (3)")
    parser.add_argument("--file", type=Path, default=PINNED, help="pinned packages")
    parser.add_argument(
        "--program", nargs=argparse.REMAINDER, help="what to ask with, instead of pip-audit; the last option"
    )
    arguments = parser.parse_args()
    options = ["--requirement", str(arguments.file), "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    program = arguments.program or [sys.executable, "-m", "pip_audit"]
    command = [*program, *options, "--timeout", str(arguments.patience)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=arguments.seconds)  # noqa: S603
    except subprocess.TimeoutExpired:
        return _skipped(f"the advisory service took more than {arguments.seconds:g} seconds")
    except OSError as error:
        return _skipped(str(error))
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _skipped((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    return _judged(packages, arguments.file.name)


def _judged(packages: list[dict[str, Any]], name: str) -> int:
    """What the service said of each package; of some it may know nothing."""
    known = [package for package in packages if "skip_reason" not in package]
    weak = [package for package in known if package["vulns"]]
    for package in weak:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"audit: {package['name']} {package['version']}: {found['id']}, mended in {mended}", file=sys.stderr)
    if weak:
        return 1
    if not known:
        return _skipped("the advisory service knows none of the packages: it is a mirror, or is not there")
    print(f"audit: no known weakness in {len(known)} of {len(packages)} packages of {name}")
    return 0


def _skipped(why: str) -> int:
    print(f"audit: skipped, {why[:300]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
