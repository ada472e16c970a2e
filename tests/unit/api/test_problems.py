"""What of a refused request may stand in the log."""

import pytest

from api import problems


@pytest.mark.parametrize("path", ["/hooks/opens", "//hooks/opens", "///approvals/opens", "//oauth/begin/opens"])
def test_the_rest_of_an_address_that_opens_something_is_not_shown(path: str) -> None:
    assert "opens" not in problems.shown(path)


def test_a_long_path_is_shown_as_far_as_it_helps() -> None:
    assert problems.shown("/v1/runs") == "/v1/runs"
    assert len(problems.shown("/" + "x" * 16_000)) == problems.LONGEST_LOGGED
