"""What a mail server says of a failure, as people may read it."""

from imapclient.exceptions import LoginError

from activities.mailbox import failure
from app.catalog.messaging_connections import ImapConfig, ImapCredentials

PASSWORD = "p4ssw0rd-of-support"
CONFIG = ImapConfig(host="mail.example.com")


def told(words: str | bytes) -> str:
    return failure(CONFIG, ImapCredentials(username="support", password=PASSWORD), LoginError(words))


def test_a_password_that_the_server_repeats_is_hidden() -> None:
    for words in (f"no: {PASSWORD}", f"no: {PASSWORD}".encode()):
        assert told(words) == "mail.example.com:993 refused the user name or password: no: ***"


def test_a_password_at_the_cut_is_hidden_before_it_is_cut() -> None:
    assert "p4ss" not in told("x" * 290 + PASSWORD)
    assert len(told("x" * 100_000)) < 400
