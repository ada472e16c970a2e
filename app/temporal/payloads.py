"""How values are written for Temporal: JSON in UTF-8, how large they may be, and which of them it only refers to.

What becomes of them as bytes (compressed, encrypted) is `codec`'s.

Temporal refuses a payload over two MiB and holds the run up until it gets a smaller one; it terminates a run whose
worker answers a workflow task with more than four MiB. What one step hands to another is kept below that where it is
made. What a run takes along as a whole (its journal grows with it) is kept in a store of ours, and Temporal's history
holds a reference; where the store is, is not known here.
"""

from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    ExternalStorage,
    JSONPlainPayloadConverter,
    SerializationContext,
    StorageDriver,
    StorageDriverSelectContext,
    StorageDriverWorkflowInfo,
)

from app.temporal import names
from app.temporal.codec import CALL, NEVER, SIZE, STORED, WORKSPACE, Codec, Keys
from app.temporal.messages import ActionCall, ActionOutcome, RunInput
from app.temporal.plain import CarriedInput
from app.temporal.reading import reader
from app.temporal.record_messages import OpenWait, RecordBatch

LARGEST_PAYLOAD = 1_750_000
"""Bytes of JSON in one value that a step hands on; a little more is wrapped around it."""
LARGEST_LOCAL_ANSWER = 16 * 1024
"""Bytes of an outcome that a local activity answers with. A regular one fetches larger ones from the database."""
LARGEST_TASK = 1_500_000
"""Bytes of answers and inputs that may come together before they are sent with a workflow task."""
LARGEST_VALUE = 16_000_000
"""Bytes of JSON that a run may take along as a whole: from one execution to the next, or from the run it redrives."""
LARGEST_RUN_INPUT = 256 * 1024
"""Bytes of a run's input in its history. It stands there twice, at the end of one execution and the start of the next,
and is fetched with the history each time the run is replayed; from here on it is stored apart."""
LARGEST_OUTCOME = 64 * 1024
"""Bytes of an effect's outcome in a history; a larger one is stored apart. It was committed the moment before, so that
the database is there; and a hundred effects may answer at once."""
LARGEST_INLINE = 2_000_000
"""Bytes of any other payload in a history; from here on it is stored apart, since Temporal would refuse it.

No lower: what an activity is given and answers must not depend on the database being there, or an attempt would be used
up by its absence.
"""

_INPUT, _OUTCOME = b"input", b"outcome"
# Inputs of local activities never leave the worker, however large: no history holds them.
_WHEN_STORED = {
    RunInput.__name__: _INPUT,
    CarriedInput.__name__: _INPUT,
    ActionOutcome.__name__: _OUTCOME,
    ActionCall.__name__: CALL,
    RecordBatch.__name__: NEVER,
    OpenWait.__name__: NEVER,
}
_STORED_FROM = {_INPUT: LARGEST_RUN_INPUT, _OUTCOME: LARGEST_OUTCOME}


class _Encoder(AdvancedJSONEncoder):
    """Temporal's, without the copy of everything in a message that `asdict` makes first."""

    def default(self, o: Any) -> Any:
        if is_dataclass(o) and not isinstance(o, type):
            return {name: getattr(o, name) for name in _names(type(o))}
        return super().default(o)


@lru_cache(maxsize=1024)
def _names(message: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(message))


_encode = _Encoder(separators=(",", ":"), ensure_ascii=False).encode


class Utf8JsonConverter(JSONPlainPayloadConverter):
    """`json/plain` without escapes: Cyrillic text is two bytes a letter then, not six."""

    def to_payload(self, value: Any) -> Payload | None:
        """See the base class. Half surrogate pairs have no UTF-8 and stay escaped."""
        try:
            data = _encode(value).encode()
        except UnicodeEncodeError:
            payload = super().to_payload(value)
            assert payload is not None, "JSON takes what it took a line before"
        else:
            payload = Payload(metadata={"encoding": self.encoding.encode()}, data=data)
        # By name: under the sandbox the class of a workflow's value may be another import of the same one.
        if (when := _WHEN_STORED.get(type(value).__name__)) is not None:
            payload.metadata[STORED] = when
            if when == _INPUT:
                payload.metadata[WORKSPACE] = _workspace_of(value)
        return payload

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See the base class."""
        value = super().from_payload(payload)
        return reader(type_hint)(value) if type_hint else value


def _workspace_of(value: Any) -> bytes:
    """Whose run it is, for the codec: what is encrypted with depends on it."""
    given = value.get("workspace_id", "") if isinstance(value, dict) else value.workspace_id
    return str(given).encode()


_CONVERTERS: dict[bytes, EncodingPayloadConverter] = {
    converter.encoding.encode(): Utf8JsonConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
    for converter in DefaultPayloadConverter.default_encoding_payload_converters
}


class PayloadConverter(CompositePayloadConverter):
    """Temporal's own converters, with ours for JSON."""

    def __init__(self) -> None:
        # The SDK makes one for each task, and asks it each time; ours hold nothing and go by no context.
        self.converters = _CONVERTERS

    def with_context(self, context: SerializationContext) -> Self:
        """See the base class."""
        return self


class FailureConverter(DefaultFailureConverter):
    """A failure's message and stack trace are payloads too, so that they are encrypted as its details are."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


DATA_CONVERTER = replace(DataConverter.default, payload_converter_class=PayloadConverter, payload_codec=Codec())
"""For what is small, for histories that refer to nothing outside of them and hold nothing encrypted."""


def data_converter(driver: StorageDriver, keys: Keys | None = None, *, encrypts: bool = False) -> DataConverter:
    """What clients and workers of ours use: large values that belong to a run are kept by the driver, and what is
    encrypted is read with the keys. `encrypts`: new payloads are encrypted, of workspaces that have a key."""

    def select(context: StorageDriverSelectContext, payload: Payload) -> StorageDriver | None:
        return driver if _is_stored(context, payload) else None

    storage = ExternalStorage(drivers=[driver], driver_selector=select, payload_size_threshold=0)
    return replace(
        DATA_CONVERTER,
        payload_codec=Codec(keys, encrypts=encrypts),
        failure_converter_class=FailureConverter if encrypts else DefaultFailureConverter,
        external_storage=storage,
    )


def _is_stored(context: StorageDriverSelectContext, payload: Payload) -> bool:
    """By the size it has before it is compressed: what a run takes along is as large again when it is read."""
    size = int(payload.metadata[SIZE]) if SIZE in payload.metadata else payload.ByteSize()
    when = payload.metadata.get(STORED, b"")
    if when == NEVER or size < _STORED_FROM.get(when, LARGEST_INLINE):
        return False
    target = context.target
    return isinstance(target, StorageDriverWorkflowInfo) and names.run_of(target.id) is not None
