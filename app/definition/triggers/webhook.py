"""The webhook trigger: an HTTP request to an address of the workflow's own starts the run."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from app.definition import durations
from app.definition.base import Document
from app.definition.durations import Duration
from app.definition.run_limits import KeyText

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
SignatureName = Literal["none", "standard_webhooks", "hmac", "github", "stripe", "twilio", "slack"]

MAX_TOLERANCE = timedelta(days=1)
MAX_ANSWER_TIME = timedelta(minutes=5)
MAX_BODY_BYTES = 64 * 1024 * 1024

REQUEST_NAMES = ("body", "headers", "query", "method", "trigger")
"""What `idempotency_key` may use: parts of the request, and all of it as the run will see it."""


class HmacSignature(Document):
    """A signature of the sender's own making: an HMAC in a header."""

    type: Literal["hmac"]
    header: str = Field("X-Signature", description="The header that holds the signature.")
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = Field("sha256", description="The hash of the HMAC.")
    encoding: Literal["hex", "base64"] = Field("hex", description="How the signature is written.")
    prefix: str = Field("", description="What stands before the signature in the header, such as `sha256=`.")
    timestamp_header: str | None = Field(
        None, description="The header with the time of sending in seconds since 1970; it must be signed too."
    )
    signed: str | None = Field(
        None,
        description="What is signed, with `{body}`, and `{timestamp}` as its header says it. Absent: the body, after "
        "the time and a dot where there is one.",
    )

    @property
    def template(self) -> str:
        """What is signed."""
        return self.signed or ("{body}" if self.timestamp_header is None else "{timestamp}.{body}")


class WebhookTrigger(Document):
    """Started by each delivery to one of the workflow's webhook addresses."""

    type: Literal["webhook"]
    methods: list[Method] = Field(["POST"], min_length=1, description="HTTP methods that are taken.")
    allowed_ips: list[str] = Field(
        default_factory=list, description="Addresses and networks deliveries may come from; empty = anywhere."
    )
    signature: SignatureName | HmacSignature = Field(
        "standard_webhooks",
        description="How deliveries are signed with the webhook's secret: a name, or an object of type hmac; none = "
        "whoever knows the address may deliver.",
    )
    tolerance: Duration = Field(
        "5m", description="How far the time of a signature may be from now, where the signature has one."
    )
    respond: Literal["at_once", "when_finished", "by_step"] = Field(
        "at_once", description="When the request is answered: once it is kept, when the run ended, or by `respond`."
    )
    timeout: Duration = Field("30s", description="How long the answer of a run is waited for, at most 5m.")
    idempotency_key: KeyText | None = Field(
        None,
        description="What tells a delivery from another; may hold expressions over the request. Absent, null or an "
        "empty text: the delivery id of the sender, if there is one.",
    )
    max_body_bytes: int | None = Field(
        None, ge=0, le=MAX_BODY_BYTES, description="Largest body; absent = as large as the server takes."
    )

    @property
    def scheme(self) -> str:
        """The name of the signature."""
        return self.signature if isinstance(self.signature, str) else self.signature.type

    @property
    def hmac(self) -> HmacSignature:
        """How an HMAC of the sender's own making is written."""
        return HmacSignature(type="hmac") if isinstance(self.signature, str) else self.signature

    @property
    def replay_window(self) -> timedelta:
        """How far a signature's time may be from now."""
        return min(durations.parse(self.tolerance), MAX_TOLERANCE)

    @property
    def answer_time(self) -> timedelta:
        """How long the answer of a run is waited for."""
        return min(durations.parse(self.timeout), MAX_ANSWER_TIME)
