"""Links to approvals, and the marks that stand for them where others could read along."""

from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.services.approval_links import Links, id_of, links, marks, open_token
from app.settings import Settings

WORKSPACE, RUN = uuid4(), uuid4()
APPROVAL = id_of(RUN, "ask")
TWO = ["ann@example.com", "bob@example.com"]


@pytest.fixture
def settings() -> Settings:
    key = SecretStr(Fernet.generate_key().decode())
    return Settings(encryption_keys=(key,), public_url="https://flows.example.com/in/")


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def test_each_approver_has_a_link_that_names_them(settings: Settings) -> None:
    for found in links(settings, WORKSPACE, APPROVAL, TWO):
        assert found["link"].startswith("https://flows.example.com/in/approvals/")
        opened = open_token(settings, token_of(found["link"]))
        assert opened is not None
        assert (opened.workspace_id, opened.approval_id) == (WORKSPACE, APPROVAL)
        assert opened.approver(TWO) == found["approver"]
        assert opened.approver([]) is None
        assert opened.approver(["somebody else"]) is None


def test_without_approvers_there_is_one_link_of_nobody_which_speaks_for_nobody(settings: Settings) -> None:
    [found] = links(settings, WORKSPACE, APPROVAL, [])
    opened = open_token(settings, token_of(found["link"]))
    assert opened is not None
    assert (found["approver"], opened.approver([]), opened.approver(TWO)) == (None, "", None)


def test_a_changed_or_foreign_token_opens_nothing(settings: Settings) -> None:
    token = token_of(links(settings, WORKSPACE, APPROVAL, TWO)[0]["link"])
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        assert open_token(settings, token[:place] + other + token[place + 1 :]) is None
    for text in ("", "x", token[:-1], token + "A", token + "\n", "é" * 96, "A" * 96):
        assert open_token(settings, text) is None
    assert open_token(Settings(), token) is None


def test_a_mark_becomes_the_link_wherever_it_stands(settings: Settings) -> None:
    found = marks(settings, WORKSPACE, APPROVAL, TWO)
    real = links(settings, WORKSPACE, APPROVAL, TWO)
    value = {"to": "a", "n": 1, "body": [f'<a href="{found[0]["link"]}">yes</a>', found[1]["link"] + "."]}
    assert Links(settings, WORKSPACE).linked(value) == {
        "to": "a", "n": 1, "body": [f"<a href=\"{real[0]['link']}\">yes</a>", real[1]["link"] + "."]
    }  # fmt: skip


def test_a_mark_nobody_made_or_of_another_workspace_stays_what_it_is(settings: Settings) -> None:
    mark = marks(settings, WORKSPACE, APPROVAL, TWO)[0]["link"]
    forged = mark[:-1] + ("A" if mark[-1] != "A" else "B")
    assert Links(settings, WORKSPACE).linked(forged) == forged
    assert Links(settings, UUID(int=1)).linked(mark) == mark
    assert Links(settings, WORKSPACE).linked("holdfast-approval-link.short") == "holdfast-approval-link.short"


def test_a_mark_opens_nothing(settings: Settings) -> None:
    mark = marks(settings, WORKSPACE, APPROVAL, TWO)[0]["link"]
    assert open_token(settings, mark.removeprefix("holdfast-approval-link.")) is None


def test_without_a_key_there_are_neither_links_nor_marks() -> None:
    assert links(Settings(), WORKSPACE, APPROVAL, TWO) == marks(Settings(), WORKSPACE, APPROVAL, TWO) == []


def test_what_a_provider_repeats_of_a_link_becomes_the_mark_again(settings: Settings) -> None:
    first, second = marks(settings, WORKSPACE, APPROVAL, TWO)
    attempt = Links(settings, WORKSPACE)
    sent = attempt.linked({"a": first["link"], "b": f"see {second['link']}!"})
    token = token_of(sent["a"])
    answer = {
        "echo": sent,
        sent["a"]: [1, None, f"https:\\/\\/flows.example.com\\/in\\/approvals\\/{token}"],
        "query": f"u=https%3A%2F%2Fflows.example.com%2Fin%2Fapprovals%2F{token}",
    }
    kept = attempt.marked(answer)
    assert kept["echo"] == {"a": first["link"], "b": f"see {second['link']}!"}
    assert first["link"] in kept
    assert [name for name in (token, token_of(sent["b"].rstrip("!"))) if name in str(kept)] == []
    assert Links(settings, WORKSPACE).marked(answer) is answer
