"""`python -m tests.fuzz`: expressions at random for as long as asked; exits with 1 when one did harm.

Hypothesis draws from the language's grammar. Where atheris is installed, it changes texts further for half of the time,
led by what they reach in the code. Harm is an exception that is no error of the language, a value that is no JSON, two
different answers, or more than a second of processor time.
"""

import argparse
import importlib.util
import subprocess
import sys
import time

from hypothesis import HealthCheck, given, seed, settings

from app.json import JsonObject
from tests.support.any_expression import CONTEXTS, TEMPLATES, TEXTS, check

MOST_SECONDS = 1.0
"""Processor time of one check, which evaluates twice."""
_EXAMPLES = 500


def main() -> int:
    """The exit code."""
    arguments = _arguments()
    guided = importlib.util.find_spec("atheris") is not None and not arguments.grammar_only
    seconds = arguments.seconds / 2 if guided else arguments.seconds
    rounds = _from_grammar(seconds, arguments.seed)
    print(f"{rounds * _EXAMPLES * 2:,} expressions and texts drawn from seed {arguments.seed} on; none did harm")
    if not guided:
        return 0
    command = [sys.executable, "-m", "tests.fuzz.coverage_guided", f"-max_total_time={int(seconds)}"]
    return min(subprocess.run([*command, f"-seed={arguments.seed}", "-max_len=400"], check=False).returncode, 1)


def _from_grammar(seconds: float, first_seed: int) -> int:
    """Rounds until the time is over, each from a seed of its own. Raises what hypothesis found, made small."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        rule = settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        )
        for draw in (given(TEMPLATES, CONTEXTS), given(TEXTS, CONTEXTS)):
            seed(first_seed + number)(rule(draw(_checked)))()
        number += 1
    return number


def _checked(template: str, context: JsonObject) -> None:
    started = time.thread_time()
    check(template, context)
    assert time.thread_time() - started < MOST_SECONDS, "it takes too long"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long (120)")
    parser.add_argument("--seed", type=int, default=1, help="where the drawing begins (1)")
    parser.add_argument("--grammar-only", action="store_true", help="without atheris, even where it is installed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
