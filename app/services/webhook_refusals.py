"""What a webhook refuses: the codes, and the HTTP status each is answered with. Callers are programs of others, so the
status is part of what is decided here: it says whether they try again.
"""

from collections.abc import Sequence

STATUS = {
    "malformed_json": 400,
    "malformed_form": 400,
    "nested_too_deep": 400,
    "bad_request": 400,
    "invalid_signature": 401,
    "address_not_allowed": 403,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "workflow_not_active": 409,
    "webhook_without_trigger": 409,
    "webhook_disabled": 410,
    "body_too_large": 413,
    "event_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_idempotency_key": 422,
}

UNTRUSTED = frozenset(
    {"invalid_signature", "address_not_allowed", "method_not_allowed", "webhook_without_trigger", "webhook_disabled"}
    | {"body_too_large", "body_too_slow", "unsupported_media_type", "bad_request"}
)
"""What is refused before the signature was found right: only so many of these are kept, without bodies."""

WITHOUT_BODY = UNTRUSTED | {"event_too_large"}


class Rejected(Exception):
    """A delivery is not taken. `detail` is for whoever sent it, `reason` for the owner of the webhook; `methods` are
    those that are taken, where it is one that is not."""

    def __init__(self, code: str, detail: str, reason: str = "", *, methods: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.reason = reason or detail
        self.methods = list(methods)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    @property
    def trusted(self) -> bool:
        """Whether its sender had the webhook's secret."""
        return self.code not in UNTRUSTED

    @property
    def keeps_body(self) -> bool:
        """Whether the body is kept, so that the delivery may be replayed."""
        return self.code not in WITHOUT_BODY
