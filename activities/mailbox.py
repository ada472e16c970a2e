"""One look into a mailbox over IMAP4rev1 (RFC 3501, RFC 9051): log in, find new mails, fetch them, mark or move them.

Blocking: the library waits for its server, and each call here belongs into a thread. The connection is made by the
caller, to an address that the egress rule let through. What becomes of a mail is not known here.
"""

import imaplib
import logging
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from zlib import crc32

from imapclient import SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from activities.network_errors import network_failure
from app.catalog.messaging_connections import ImapConfig, ImapCredentials
from app.security.masking import Mask

COMMAND_SECONDS = 15.0
MOST_BYTES = 10 * 1024 * 1024
"""More of a mail is not fetched: its first parts are the letter."""
PIECE_BYTES = 512 * 1024
FETCH_SECONDS = 10.0
"""A mail that takes longer is as long as what came by then: else one too large for its line would never be over."""
MOST_ANSWER = 14 * 1024 * 1024
"""Bytes in answer to one command."""
MOST_UID = 2**32 - 1
DATES_AT_ONCE = 500
LONGEST_WORDS = 20_000
"""Characters of a server's words that are looked through for the password; of what is left a line is shown."""

# It tells its log every line that is sent and received.
logging.getLogger("imapclient").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Fetched:
    """A mail as the server has it, or its first bytes; `at` is when it came in there."""

    raw: bytes
    truncated: bool
    at: datetime


class _Imap(imaplib.IMAP4):
    """IMAP over a socket that is there already. A server may say so much in answer to one command, and no more: it may
    be anybody's, and what it says is kept in memory."""

    def __init__(self, host: str, port: int, sock: socket.socket) -> None:
        self._given = sock
        self.left = MOST_ANSWER
        super().__init__(host, port)

    def read(self, size: int) -> bytes:
        self._pay(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._pay(len(line))
        return line

    def _pay(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise self.abort(f"the answer is longer than {MOST_ANSWER:,} bytes")

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._given


class _Client(IMAPClient):  # type: ignore[misc]
    def __init__(self, host: str, port: int, sock: socket.socket) -> None:
        self._given = sock
        super().__init__(host, port, ssl=False, timeout=SocketTimeout(COMMAND_SECONDS, COMMAND_SECONDS))
        self.normalise_times = False

    def renew(self) -> None:
        """Another answer begins."""
        self._imap.left = MOST_ANSWER

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - the library's name for it
        return _Imap(self.host, self.port, self._given)


class OpenMailbox:
    """A mailbox that is logged into and selected. Raises `OSError` and `IMAPClientError` throughout."""

    def __init__(
        self, sock: socket.socket, config: ImapConfig, credentials: ImapCredentials, tls: ssl.SSLContext
    ) -> None:
        self._config = config
        self._whose = crc32("\n".join((config.host, credentials.username, config.mailbox)).encode()) >> 1
        sock.settimeout(COMMAND_SECONDS)
        if config.security == "tls":
            sock = tls.wrap_socket(sock, server_hostname=config.host)
        self._client = _Client(config.host, config.resolved_port, sock)
        try:
            if config.security == "starttls":
                self._client.starttls(tls)
            if (credentials.username + credentials.password).isascii():
                self._client.login(credentials.username, credentials.password)
            else:
                # LOGIN takes ASCII alone, and the error would show the letter it stopped at.
                self._client.plain_login(credentials.username, credentials.password)
            self._selected = self._client.select_folder(config.mailbox, readonly=config.after == "keep")
        except BaseException:
            self._shut()
            raise

    @property
    def uid_validity(self) -> int:
        """What the numbers of its mails are good for: the server's UIDVALIDITY, and which mailbox of whom it is, since
        two that were made in the same second may have the same."""
        return min(int(self._selected.get(b"UIDVALIDITY", 0)), MOST_UID) << 31 | self._whose

    def last_before(self, since: datetime) -> int:
        """The number of the last mail that came in before then, by the server's clock; those above it came later."""
        second = since.replace(microsecond=0)
        # The server compares dates of its own zone.
        uids = sorted(self._client.search(["SINCE", (second - timedelta(days=1)).date()]))
        for start in range(0, len(uids), DATES_AT_ONCE):
            self._client.renew()
            dates = self._client.fetch(uids[start : start + DATES_AT_ONCE], ["INTERNALDATE"])
            later = [uid for uid, told in dates.items() if _utc(told.get(b"INTERNALDATE"), second) >= second]
            if later:
                return int(min(later)) - 1
        if next_uid := self._selected.get(b"UIDNEXT"):
            return min(int(next_uid) - 1, MOST_UID)
        return max((uid for uid in self._client.search("ALL") if uid <= MOST_UID), default=0)

    def new(self, taken: int) -> Sequence[int]:
        """The numbers above this one, in order."""
        # The range always names the last mail, even one that is not above.
        self._client.renew()
        return sorted(uid for uid in self._client.search(["UID", f"{taken + 1}:*"]) if taken < uid <= MOST_UID)

    def fetch(self, uid: int) -> Fetched | None:
        """The mail; None when it is no longer there. It is not marked as seen."""
        until = monotonic() + FETCH_SECONDS
        piece, told = self._piece(uid, 0, "RFC822.SIZE", "INTERNALDATE")
        if piece is None:
            return None
        raw, whole = bytearray(piece), int(told.get(b"RFC822.SIZE", 0))
        # Some servers give less than they are asked for, and some are wrong about the size.
        while more := bool(piece) and (len(piece) == PIECE_BYTES or len(raw) < whole):
            if len(raw) >= MOST_BYTES or monotonic() >= until:
                break
            piece = self._piece(uid, len(raw))[0] or b""
            raw += piece
        return Fetched(bytes(raw), more and len(raw) < whole, _utc(told.get(b"INTERNALDATE"), datetime.now(UTC)))

    def _piece(self, uid: int, place: int, *besides: str) -> tuple[bytes | None, Mapping[bytes, Any]]:
        self._client.renew()
        told = self._client.fetch([uid], [*besides, f"BODY.PEEK[]<{place}.{PIECE_BYTES}>"]).get(uid, {})
        return told.get(b"BODY[]<%d>" % place, None if place else told.get(b"BODY[]")), told

    def tidy(self, first: int, last: int) -> None:
        """Do with the mails of these numbers what the connection says; done twice it does nothing more."""
        self._client.renew()
        mails = f"{first}:{last}"
        if self._config.after == "seen":
            self._client.add_flags(mails, [SEEN], silent=True)
        elif self._config.after == "move" and self._client.search(["UID", mails]):
            self._move(mails, self._config.move_to or "")

    def close(self) -> None:
        """Say good-bye, if the server is still there."""
        try:
            self._client.logout()
        except (OSError, IMAPClientError):
            self._shut()

    def _shut(self) -> None:
        with suppress(OSError):  # of a connection that is closed already
            self._client.shutdown()

    def _move(self, mails: str, to: str) -> None:
        if self._client.has_capability("MOVE"):
            self._client.move(mails, to)
            return
        self._client.copy(mails, to)
        self._client.delete_messages(mails, silent=True)
        if self._client.has_capability("UIDPLUS"):
            # Without it, expunging would take whatever else is marked as deleted.
            self._client.uid_expunge(mails)


def failure(config: ImapConfig, credentials: ImapCredentials, error: BaseException) -> str:
    """What kept the mailbox from being looked into, for people; no part of the password is in it."""
    server = f"{config.host}:{config.resolved_port}"
    if isinstance(error, TimeoutError):
        return f"{server} gave no answer in time"
    if known := network_failure(error):
        return f"mail server {server}: {known[1]}"
    if isinstance(error, LoginError):
        return f"{server} refused the user name or password: {_told(error, credentials)}"
    if isinstance(error, IMAPClientError):
        return f"{server} refused: {_told(error, credentials)}"
    return f"{server}: the connection failed: {_told(error, credentials)}"


def _told(error: BaseException, credentials: ImapCredentials) -> str:
    """The server's words. Some repeat what they were sent: that is hidden before anything is cut off."""
    text = error.args[0] if error.args else ""
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(error)
    mask = Mask()
    mask.add(credentials.password)
    hidden = str(mask.hidden(text[:LONGEST_WORDS]))
    return "".join(character for character in hidden if character.isprintable())[:300]


def _utc(value: object, otherwise: datetime) -> datetime:
    if not isinstance(value, datetime):
        return otherwise
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
