"""The webhook trigger: an HTTP request to an address of the workflow's own starts the run."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.run_limits import KeyText

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class WebhookTrigger(Document):
    """Started by each delivery to one of the workflow's webhook addresses."""

    type: Literal["webhook"]
    methods: list[Method] = Field(["POST"], min_length=1, description="HTTP methods that are taken.")
    allowed_ips: list[str] = Field(
        default_factory=list, description="Addresses and networks deliveries may come from; empty = anywhere."
    )
    respond: Literal["at_once", "when_finished", "by_step"] = Field(
        "at_once", description="When the request is answered: once it is kept, when the run ended, or by `respond`."
    )
    idempotency_key: KeyText | None = Field(
        None, description="What tells a delivery from another; may hold expressions over the request."
    )
