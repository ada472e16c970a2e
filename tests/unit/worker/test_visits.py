"""Which workflow tasks go the short way past the SDK's visits of all values."""

from collections.abc import Sequence
from typing import Any

import pytest
import temporalio.bridge.worker as sdk
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import (
    DataConverter,
    ExternalStorage,
    PayloadCodec,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)
from temporalio.converter._extstore import StorageOperationMetrics

from worker.visits import short_decode, short_encode, shorten

LARGE = 1000


class Shelf(StorageDriver):
    """Keeps values in memory."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def name(self) -> str:
        return "shelf"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        # The SDK makes the reference in place of the value.
        self.kept.extend(payload.SerializeToString() for payload in payloads)
        first = len(self.kept) - len(payloads)
        return [StorageDriverClaim({"place": str(first + each)}) for each in range(len(payloads))]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [Payload.FromString(self.kept[int(claim.claim_data["place"])]) for claim in claims]


class Codec(PayloadCodec):
    """Does nothing, where another would."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


class Visits:
    """Counts the visits of the SDK, and makes them."""

    def __init__(self, visit: Any) -> None:
        self.made = 0
        self._visit = visit

    async def __call__(self, *args: Any, **named: Any) -> StorageOperationMetrics:
        self.made += 1
        metrics: StorageOperationMetrics = await self._visit(*args, **named)
        return metrics


def stored_apart() -> DataConverter:
    return DataConverter(external_storage=ExternalStorage(drivers=[Shelf()], payload_size_threshold=LARGE))


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> dict[str, Visits]:
    """By the name of the SDK's function; the short ways before them, as `shorten` puts them there."""
    shorten()
    made = {}
    for name, short in (("decode_activation", short_decode), ("encode_completion", short_encode)):
        made[name] = Visits(getattr(sdk, name))
        monkeypatch.setattr(sdk, name, short(made[name]))
    return made


async def answered(converter: DataConverter, value: str) -> WorkflowActivationCompletion:
    completion = WorkflowActivationCompletion()
    result = completion.successful.commands.add().complete_workflow_execution.result
    result.CopyFrom(converter.payload_converter.to_payload(value))
    await sdk.encode_completion(completion, converter, encode_headers=False, storage_concurrency_limit=3)
    return completion


async def told(converter: DataConverter, payload: Payload) -> str:
    activation = WorkflowActivation()
    activation.jobs.add().initialize_workflow.arguments.append(payload)
    await sdk.decode_activation(activation, converter, decode_headers=False, storage_concurrency_limit=3)
    value: str = converter.payload_converter.from_payload(activation.jobs[0].initialize_workflow.arguments[0], str)
    return value


async def test_a_small_value_is_not_visited(visits: dict[str, Visits]) -> None:
    converter = stored_apart()
    completion = await answered(converter, "small")
    result = completion.successful.commands[0].complete_workflow_execution.result
    assert await told(converter, result) == "small"
    assert [each.made for each in visits.values()] == [0, 0]


async def test_a_large_value_is_stored_apart_and_fetched_again(visits: dict[str, Visits]) -> None:
    converter = stored_apart()
    completion = await answered(converter, "x" * LARGE)
    result = completion.successful.commands[0].complete_workflow_execution.result
    assert result.ByteSize() < LARGE
    assert await told(converter, result) == "x" * LARGE
    assert [each.made for each in visits.values()] == [1, 1]


async def test_a_reference_is_an_error_where_nothing_is_stored_apart(visits: dict[str, Visits]) -> None:
    completion = await answered(stored_apart(), "x" * LARGE)
    with pytest.raises(RuntimeError, match="external storage is not configured"):
        await told(DataConverter(), completion.successful.commands[0].complete_workflow_execution.result)


async def test_every_value_is_visited_for_a_codec(visits: dict[str, Visits]) -> None:
    converter = DataConverter(payload_codec=Codec())
    completion = await answered(converter, "small")
    assert await told(converter, completion.successful.commands[0].complete_workflow_execution.result) == "small"
    assert [each.made for each in visits.values()] == [1, 1]


def test_the_short_way_stands_before_the_sdks_own_once() -> None:
    shorten()
    decode, encode = sdk.decode_activation, sdk.encode_completion
    assert (decode.__module__, encode.__module__) == ("worker.visits", "worker.visits")
    shorten()
    assert (sdk.decode_activation, sdk.encode_completion) == (decode, encode)
