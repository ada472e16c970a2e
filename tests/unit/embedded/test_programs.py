"""The servers' programs: found beside our Python, or a word about how to get them."""

import sys
from pathlib import Path

import pytest

from app.embedded.errors import MissingBinary
from app.embedded.programs import temporal_program


@pytest.mark.parametrize(("present", "word"), [(False, "is missing"), (True, "cannot be executed")])
def test_a_program_that_cannot_be_run_is_refused_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: bool, word: str
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    if present:
        (tmp_path / "temporal").write_text("")

    with pytest.raises(MissingBinary, match=rf"temporal {word}.*make clean dev.*HOLDFAST_TEMPORAL_ADDRESS"):
        temporal_program()
