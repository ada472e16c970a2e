"""How values are written for Temporal: JSON in UTF-8, and how large they may be. The limits are Temporal's own.

Temporal refuses a payload over two MiB and holds the run up until it gets a smaller one; it terminates a run whose
worker answers a workflow task with more than four MiB. Both are prevented where values are made, never met.
"""

import json
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)

LARGEST_PAYLOAD = 1_750_000
"""Bytes of JSON in one value that is given to Temporal; a little more is wrapped around it."""
LARGEST_LOCAL_ANSWER = 16 * 1024
"""Bytes of an outcome that a local activity answers with. A regular one fetches larger ones from the database."""
LARGEST_TASK = 1_500_000
"""Bytes of answers and inputs that may come together before they are sent with a workflow task."""


class Utf8JsonConverter(JSONPlainPayloadConverter):
    """`json/plain` without escapes: Cyrillic text is two bytes a letter then, not six."""

    def to_payload(self, value: Any) -> Payload | None:
        """See the base class. Half surrogate pairs have no UTF-8 and stay escaped."""
        try:
            data = json.dumps(value, cls=AdvancedJSONEncoder, separators=(",", ":"), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return super().to_payload(value)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)


class PayloadConverter(CompositePayloadConverter):
    """Temporal's own converters, with ours for JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                Utf8JsonConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


DATA_CONVERTER = replace(DataConverter.default, payload_converter_class=PayloadConverter)
"""What every client and worker of ours uses."""


def json_size(value: Any) -> int:
    """Bytes of a JSON value as it is written for Temporal."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
