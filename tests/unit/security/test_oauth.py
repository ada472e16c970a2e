"""What OAuth 2 asks for that is made of chance and digests."""

import pytest
from uuid_utils.compat import uuid7

from app.security import oauth


def test_a_challenge_is_that_of_the_standards_own_example() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifiers_are_long_enough_and_never_the_same() -> None:
    made = {oauth.verifier() for _ in range(10)}
    assert len(made) == 10
    assert {len(each) for each in made} == {43}


def test_a_client_is_encoded_before_it_is_authenticated() -> None:
    """RFC 6749, 2.3.1: a colon in an id must not end it."""
    assert oauth.basic("a:b", "c d%") == "Basic YSUzQWI6YytkJTI1"


def test_a_ticket_names_its_workspace_and_is_no_state() -> None:
    workspace = uuid7()
    ticket = oauth.generate("ticket", workspace)
    assert oauth.workspace_of("ticket", ticket) == workspace
    assert oauth.workspace_of("state", ticket) is None


@pytest.mark.parametrize("text", ["", "ticket", "ticket_a_b", "ticket_é_é", "ticket_" + "a" * 200, "ticket_1_1_1"])
def test_what_is_no_ticket_names_no_workspace(text: str) -> None:
    assert oauth.workspace_of("ticket", text) is None
