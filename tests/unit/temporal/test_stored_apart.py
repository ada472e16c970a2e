"""Which values Temporal's history only refers to, and that they come back as they were."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import ExternalStorageReference
from temporalio.converter import (
    DataConverter,
    StorageDriver,
    StorageDriverActivityInfo,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from app.temporal import names
from app.temporal.messages import (
    ActionOutcome,
    JournalState,
    RunInput,
    StepRecord,
    TriggerInfo,
)
from app.temporal.payloads import (
    DATA_CONVERTER,
    LARGEST_INLINE,
    LARGEST_OUTCOME,
    LARGEST_PAYLOAD,
    LARGEST_RUN_INPUT,
    data_converter,
)
from app.temporal.plain import CarriedInput
from app.temporal.record_messages import OpenWait, RecordBatch, RunUpdate

RUN = "0197a3f2-0000-7000-8000-000000000001"
OF_A_RUN = StorageDriverWorkflowInfo(namespace="default", id=names.workflow_id(RUN))


class Shelf(StorageDriver):
    """Keeps values in memory."""

    def __init__(self) -> None:
        self.kept: list[Payload] = []

    def name(self) -> str:
        return "shelf"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        self.kept.extend(payloads)
        first = len(self.kept) - len(payloads)
        return [StorageDriverClaim({"place": str(first + each)}) for each in range(len(payloads))]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [self.kept[int(claim.claim_data["place"])] for claim in claims]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def converter(shelf: Shelf, target: StorageDriverWorkflowInfo | StorageDriverActivityInfo | None) -> DataConverter:
    return data_converter(shelf)._with_store_context(StorageDriverStoreContext(target=target))


def run_input(size: int) -> RunInput:
    return RunInput(
        workspace_id="w",
        workspace_name="W",
        run_id=RUN,
        workflow_id="f",
        workflow_name="F",
        version=1,
        digest="d",
        definition={},
        trigger=TriggerInfo(type="manual", data="x" * size),
        created_at="2030-01-01T00:00:00Z",
    )


def batch(size: int) -> RecordBatch:
    record = StepRecord(path="a", step_id="a", name="A", type="transform", status="completed", output="x" * size)
    return RecordBatch(workspace_id="w", run_id=RUN, steps=[record], run=RunUpdate(status="running"))


def outcome(size: int) -> ActionOutcome:
    return ActionOutcome(output="x" * size, inputs={}, attempt=1, started_at="", finished_at="")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param(run_input(LARGEST_RUN_INPUT - 1000), False, id="a small input of a run"),
        pytest.param(run_input(LARGEST_RUN_INPUT), True, id="a large input of a run"),
        pytest.param(outcome(LARGEST_OUTCOME - 1000), False, id="an answer of an activity"),
        pytest.param(outcome(LARGEST_OUTCOME), True, id="a large answer of an activity"),
        pytest.param(outcome(LARGEST_PAYLOAD), True, id="the largest answer of an activity"),
        pytest.param(CarriedInput(a="x" * LARGEST_RUN_INPUT), True, id="a large input of a run's next execution"),
        pytest.param(batch(5_000_000), False, id="records on their way to a local activity"),
        pytest.param(OpenWait(batch=batch(5_000_000), path="a", event="e"), False, id="a wait on its way to one"),
        pytest.param(
            JournalState(variables={"a": "x" * (LARGEST_INLINE - 1000)}), False, id="a journal that is asked for"
        ),
        pytest.param(JournalState(variables={"a": "x" * LARGEST_INLINE}), True, id="a journal Temporal would refuse"),
        pytest.param("x" * LARGEST_INLINE, True, id="anything Temporal would refuse"),
        pytest.param({"half": "\ud83d" + "x" * LARGEST_INLINE}, True, id="half a surrogate pair in it"),
    ],
)
async def test_what_is_stored_apart(shelf: Shelf, value: Any, stored: bool) -> None:
    of_a_run = converter(shelf, OF_A_RUN)
    payloads = await of_a_run.encode([value])
    assert (len(shelf.kept), "messageType" in payloads[0].metadata) == ((1, True) if stored else (0, False))
    assert await of_a_run.decode(payloads, [type(value)]) == [value]


async def test_several_values_are_stored_each_by_itself(shelf: Shelf) -> None:
    of_a_run = converter(shelf, OF_A_RUN)
    values = ["a" * LARGEST_INLINE, "small", "b" * LARGEST_INLINE]
    payloads = await of_a_run.encode(values)
    assert len(shelf.kept) == 2
    assert await of_a_run.decode(payloads, [str, str, str]) == values


@pytest.mark.parametrize(
    "target",
    [
        None,
        StorageDriverWorkflowInfo(namespace="default", id="holdfast-upkeep"),
        StorageDriverWorkflowInfo(namespace="default", id="run-by-hand"),
        StorageDriverWorkflowInfo(namespace="default"),
        StorageDriverActivityInfo(namespace="default", id=names.workflow_id(RUN)),
    ],
)
async def test_what_belongs_to_no_run_is_not_stored(
    shelf: Shelf, target: StorageDriverWorkflowInfo | StorageDriverActivityInfo | None
) -> None:
    await converter(shelf, target).encode(["x" * LARGEST_INLINE, run_input(LARGEST_RUN_INPUT)])
    assert shelf.kept == []


async def test_a_value_that_only_looks_like_a_reference_stays_what_it_is(shelf: Shelf) -> None:
    """Whoever gives a run its input must not be able to name another run's value in it."""
    of_a_run = converter(shelf, OF_A_RUN)
    [reference] = await of_a_run.encode(["x" * LARGEST_INLINE])
    forged = {"metadata": {"encoding": "json/protobuf"}, "driverName": "shelf", "claimData": {"place": "0"}}
    for value in (forged, reference.data.decode()):
        [payload] = await of_a_run.encode([value])
        assert await of_a_run.decode([payload]) == [value]


async def test_without_a_store_a_reference_is_refused_in_words(shelf: Shelf) -> None:
    payloads = await converter(shelf, OF_A_RUN).encode(["x" * LARGEST_INLINE])
    with pytest.raises(RuntimeError, match="external storage is not configured"):
        await DATA_CONVERTER.decode(payloads)


def test_a_workflow_id_names_its_run() -> None:
    assert str(names.run_of(names.workflow_id(RUN))) == RUN
    assert [names.run_of(other) for other in (None, "", "run-", "run-x", RUN, "holdfast-upkeep")] == [None] * 6


async def test_the_reference_says_how_much_it_stands_for(shelf: Shelf) -> None:
    [payload] = await converter(shelf, OF_A_RUN).encode([random.Random(1).randbytes(LARGEST_INLINE).hex()])
    assert payload.metadata["messageType"] == ExternalStorageReference.DESCRIPTOR.full_name.encode()
    assert [each.size_bytes > LARGEST_INLINE for each in payload.external_payloads] == [True]
