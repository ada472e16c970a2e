"""What the problem codes of messages mean: as `problem_pages.py`, of which these are a part."""

from api.problem_page import ProblemPage

MESSAGE_PAGES: dict[str, ProblemPage] = {
    "address_not_found": ProblemPage(
        "No messages are taken here",
        "The address is misspelt, was rotated more than a day ago, or its connection is gone or takes no more.",
    ),
    "inbound_not_found": ProblemPage(
        "No messages come in over the connection",
        "`POST /v1/connections/{id}/inbound` gives it an address, or has its mailbox looked into.",
    ),
    "connection_takes_no_messages": ProblemPage(
        "No messages come in over such a connection",
        "They come in over connections to Twilio, Messenger, WhatsApp, SendGrid and mailboxes (IMAP).",
    ),
    "mailbox_has_no_address": ProblemPage(
        "A mailbox has no address to rotate", "Mails are fetched from it. Change the connection's password instead."
    ),
    "connection_unusable": ProblemPage(
        "The connection cannot be used just now",
        "Its credentials cannot be read: bring their key back into `HOLDFAST_ENCRYPTION_KEYS`, or enter them again. "
        "Nothing was taken; send it again later.",
    ),
    "message_not_signed": ProblemPage(
        "The signature is missing or wrong",
        "Messages are taken from their provider alone, who signs them. If it is the provider, check the connection's "
        "secret, and that `HOLDFAST_PUBLIC_URL` is the address the provider calls.",
    ),
    "message_not_verified": ProblemPage(
        "The verify token is another", "`GET /v1/connections/{id}/inbound` says which one to enter at Meta."
    ),
    "invalid_message": ProblemPage(
        "This is no message",
        "What came in is not what the provider of this address sends. `detail` says what is missing.",
    ),
}
