"""Tokens of forms: what they name, and that nothing else is taken for one."""

import pytest
from uuid_utils.compat import uuid7

from app.security import form_tokens

WORKSPACE, WORKFLOW = uuid7(), uuid7()


@pytest.mark.parametrize("form_id", [None, "contact", "a.b-c"])
def test_a_token_names_workspace_workflow_and_form(form_id: str | None) -> None:
    token = form_tokens.make(WORKSPACE, WORKFLOW, form_id)
    read = form_tokens.read(token)
    assert read is not None
    assert (read.workspace_id, read.workflow_id) == (WORKSPACE, WORKFLOW)
    assert [name for name in (None, "contact", "a.b-c", "other") if read.is_for(name)] == [form_id]
    assert form_tokens.make(WORKSPACE, WORKFLOW, form_id) == token


@pytest.mark.parametrize(
    "mangled", [str.upper, lambda text: text + "=", lambda text: text[:-1], lambda text: text + "AA"]
)
def test_what_is_not_written_as_we_write_it_is_no_token(mangled) -> None:
    token = form_tokens.make(WORKSPACE, WORKFLOW, "contact")
    assert (found := form_tokens.read(mangled(token))) is None or found.workspace_id != WORKSPACE


@pytest.mark.parametrize("text", ["", "x", "é", "\0", "A" * 54, "a b", "../../etc", "A" * 10_000])
def test_any_text_may_be_asked_for(text: str) -> None:
    found = form_tokens.read(text)
    assert found is None or found.workspace_id.int == 0
