"""What payloads are as bytes: compressed where it helps, encrypted for one workspace, and read back as they were."""

import random
import zlib
from uuid import UUID

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from app.temporal import codec, names
from app.temporal.codec import COMPRESSED, ENCRYPTED, KEY, WORKSPACE, Codec, PayloadKey, Unreadable
from app.temporal.messages import ActionOutcome
from app.temporal.payloads import DATA_CONVERTER, data_converter
from tests.integration.services.building import a_call
from tests.unit.temporal.test_stored_apart import RUN, Shelf, run_input

MINE, THEIRS = UUID(int=1), UUID(int=2)
SECRET = "s3cr3t-vaLue"


class KnownKeys:
    """Keys in memory; counts how often somebody had to ask whose run it is."""

    def __init__(self, *keys: PayloadKey) -> None:
        self.keys = {(key.workspace_id, key.id): key for key in keys}
        self.runs: dict[UUID, UUID] = {}
        self.asked = 0

    async def sealing(self, workspace_id: UUID) -> PayloadKey | None:
        return next((key for (owner, _), key in self.keys.items() if owner == workspace_id), None)

    async def opening(self, workspace_id: UUID, key_id: UUID, run_id: UUID | None) -> PayloadKey:
        return self.keys[workspace_id, key_id]

    async def workspace_of(self, run_id: UUID) -> UUID | None:
        if run_id not in self.runs:
            self.asked += 1
        return self.runs.get(run_id)

    def learn(self, run_id: UUID, workspace_id: UUID) -> None:
        self.runs[run_id] = workspace_id


def key(workspace: UUID = MINE, number: int = 7) -> PayloadKey:
    return PayloadKey(workspace, UUID(int=number), bytes([number]) * 32)


def of_run(keys: KnownKeys, *, encrypts: bool = True, local: bool | None = None) -> DataConverter:
    workflow_id = names.workflow_id(RUN)
    if local is None:
        return data_converter(Shelf(), keys, encrypts=encrypts).with_context(
            WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
        )
    return data_converter(Shelf(), keys, encrypts=encrypts).with_context(
        ActivitySerializationContext(
            namespace="default",
            activity_id="1",
            activity_type="http.request",
            activity_task_queue=None,
            workflow_id=workflow_id,
            workflow_type=None,
            is_local=local,
        )
    )


def outcome(output: str) -> ActionOutcome:
    return ActionOutcome(output=output, inputs={}, attempt=1, started_at="", finished_at="")


def mine() -> KnownKeys:
    keys = KnownKeys(key())
    keys.learn(UUID(RUN), MINE)
    return keys


class TestCompression:
    async def test_what_becomes_smaller_is_compressed_and_the_rest_stays(self) -> None:
        noise = random.Random(1).randbytes(3000)
        encoded = await DATA_CONVERTER.encode(["a" * 3000, "short", noise])
        assert [one.metadata["encoding"] == COMPRESSED for one in encoded] == [True, False, False]
        assert encoded[0].ByteSize() < 150
        assert await DATA_CONVERTER.decode(encoded) == ["a" * 3000, "short", noise]

    async def test_what_was_written_before_there_was_a_codec_is_read(self) -> None:
        plain = await DataConverter.default.encode([{"a": "b" * 5000}])
        assert await DATA_CONVERTER.decode(plain) == [{"a": "b" * 5000}]

    async def test_a_payload_that_would_grow_beyond_all_bounds_is_not_read(self) -> None:
        bomb = Payload(metadata={"encoding": COMPRESSED}, data=zlib.compress(bytes(2_000_000)))
        with pytest.raises(Unreadable, match="more than 1,000,000 bytes"):
            codec.decoded(bomb, None, largest=1_000_000)

    @pytest.mark.parametrize("data", [b"", b"no zlib", zlib.compress(b"no payload \xff")])
    async def test_what_is_no_payload_is_refused_in_words(self, data: bytes) -> None:
        with pytest.raises(Unreadable, match="payload"):
            await Codec().decode([Payload(metadata={"encoding": COMPRESSED}, data=data)])

    async def test_without_encryption_a_payload_names_no_workspace(self) -> None:
        [payload] = await of_run(KnownKeys(key()), encrypts=False).encode([run_input(10)])
        assert not {WORKSPACE, KEY} & set(payload.metadata)


class TestEncryption:
    async def test_every_value_of_a_run_comes_back_and_shows_nothing(self) -> None:
        converter = of_run(mine())
        values = [SECRET, {"a": SECRET * 500}, None]
        payloads = await converter.encode(values)
        assert [one.metadata["encoding"] for one in payloads] == [ENCRYPTED] * 3
        assert not any(SECRET.encode() in one.SerializeToString() for one in payloads)
        assert await converter.decode(payloads) == values

    async def test_the_input_of_a_run_tells_whose_it_is(self) -> None:
        keys = KnownKeys(key(UUID(int=9)))
        given = run_input(10)
        object.__setattr__(given, "workspace_id", str(UUID(int=9)))
        [payload] = await of_run(keys).encode([given])
        assert payload.metadata["encoding"] == ENCRYPTED
        elsewhere = KnownKeys(key(UUID(int=9)))
        assert await of_run(elsewhere).decode([payload], [type(given)]) == [given]
        [answer] = await of_run(elsewhere, local=False).encode([outcome(SECRET)])
        assert (answer.metadata["encoding"], elsewhere.asked) == (ENCRYPTED, 0)

    async def test_who_has_no_key_is_not_encrypted_and_nor_is_what_belongs_to_no_run(self) -> None:
        keys = KnownKeys(key(THEIRS))
        keys.learn(UUID(RUN), MINE)
        [payload] = await of_run(keys).encode(["a"])
        assert payload.metadata["encoding"] == b"json/plain"
        platform_wide = data_converter(Shelf(), mine(), encrypts=True)
        for id_ in ("holdfast-upkeep", "schedule-1", "run-x"):
            context = WorkflowSerializationContext(namespace="default", workflow_id=id_)
            [payload] = await platform_wide.with_context(context).encode(["a"])
            assert payload.metadata["encoding"] == b"json/plain"

    async def test_failures_are_encrypted_with_their_messages(self) -> None:
        converter, failure = of_run(mine()), Failure()
        await converter.encode_failure(ApplicationError(f"no {SECRET}", {"inputs": SECRET}, type="internal"), failure)
        assert SECRET.encode() not in failure.SerializeToString()
        read = await of_run(mine(), encrypts=False).decode_failure(failure)
        assert isinstance(read, ApplicationError)
        assert (read.message, read.details) == (f"no {SECRET}", ({"inputs": SECRET},))

    async def test_inputs_of_local_activities_stay_as_they_are_and_answers_do_not(self) -> None:
        call = a_call(MINE, UUID(RUN))
        encoded = [
            (await of_run(mine(), local=True).encode([call]))[0],
            (await of_run(mine(), local=True).encode([outcome("a")]))[0],
            (await of_run(mine(), local=False).encode([call]))[0],
        ]
        assert [one.metadata["encoding"] == ENCRYPTED for one in encoded] == [False, True, True]

    async def test_the_same_value_is_the_same_bytes_so_that_a_repeated_task_keeps_it_once(self) -> None:
        first, again, other = await of_run(mine()).encode(["a" * 50, "a" * 50, "b" * 50])
        assert first == again
        assert first.data[:12] != other.data[:12]


class TestWhatCannotBeRead:
    async def test_a_changed_copied_or_relabelled_payload_is_refused(self) -> None:
        [payload] = await of_run(mine()).encode(["a"])
        changed, moved, renamed = Payload(), Payload(), Payload()
        for copy in (changed, moved, renamed):
            copy.CopyFrom(payload)
        changed.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
        # The same secret under another workspace, or as another key: what it is bound to does not fit.
        moved.metadata[WORKSPACE] = str(THEIRS).encode()
        renamed.metadata[KEY] = str(UUID(int=8)).encode()
        same = key().secret
        keys = KnownKeys(key(), PayloadKey(THEIRS, key().id, same), PayloadKey(MINE, UUID(int=8), same))
        for bad in (changed, moved, renamed):
            with pytest.raises(Unreadable, match="changed, or belongs to another key"):
                await of_run(keys).decode([bad])

    async def test_a_process_without_keys_says_so(self) -> None:
        [payload] = await of_run(mine()).encode(["a"])
        with pytest.raises(Unreadable, match="has no keys"):
            await DATA_CONVERTER.decode([payload])

    async def test_a_payload_that_names_no_key_is_refused(self) -> None:
        nameless = Payload(metadata={"encoding": ENCRYPTED, WORKSPACE: str(MINE).encode(), KEY: b"x"}, data=b"")
        with pytest.raises(Unreadable, match="does not say with which key"):
            await of_run(mine()).decode([nameless])

    def test_a_key_shows_nothing_of_itself(self) -> None:
        assert "secret" not in repr(key())
