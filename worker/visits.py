"""A short way for workflow tasks whose values need nothing done. The SDK goes through all values of a task six times,
for codecs and for values that are stored apart, some of them in tasks of their own; that takes longer than the walk.
Nearly no task of ours has such a value, and one look at the whole tells.

Stands before two functions of the SDK that are no part of what it promises. Whatever there is to do is left to them.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import temporalio.bridge.worker as sdk
from temporalio.api.sdk.v1 import ExternalStorageReference
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter
from temporalio.converter._extstore import StorageOperationMetrics

Visit = Callable[..., Awaitable[StorageOperationMetrics]]

_REFERENCES = (
    b"json/external-storage-reference",
    ExternalStorageReference.DESCRIPTOR.full_name.encode(),
    b"__temporal_external_storage_reference",
)
"""One of these stands in every value that refers to one stored apart: an encoding, a type, or the SDK's mark."""
_SHORTENED = "holdfast_shortened"


def shorten() -> None:
    """Have the workers of this process go the short way; once or more often."""
    if not hasattr(sdk, _SHORTENED):
        setattr(sdk, _SHORTENED, True)
        # By name, for the SDK looks them up when it calls them.
        for name, short in (("decode_activation", short_decode), ("encode_completion", short_encode)):
            setattr(sdk, name, short(getattr(sdk, name)))


def short_decode(visit: Visit) -> Visit:
    """`visit` for tasks that hold a reference, and for all of them under a codec."""

    async def decode(task: WorkflowActivation, converter: DataConverter, *args: Any, **named: Any) -> Any:
        if converter.payload_codec is None:
            whole = task.SerializeToString()
            if not any(reference in whole for reference in _REFERENCES):
                return StorageOperationMetrics()
        return await visit(task, converter, *args, **named)

    return decode


def short_encode(visit: Visit) -> Visit:
    """`visit` for answers that may hold a value large enough to be stored apart, and for all of them under a codec."""

    async def encode(answer: WorkflowActivationCompletion, converter: DataConverter, *args: Any, **named: Any) -> Any:
        storage = converter.external_storage
        small = storage is None or answer.ByteSize() < storage.payload_size_threshold
        if small and converter.payload_codec is None:
            return StorageOperationMetrics()
        return await visit(answer, converter, *args, **named)

    return encode
