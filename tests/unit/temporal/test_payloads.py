"""How values are written for Temporal."""

from typing import Any

import pytest
from temporalio.converter import DataConverter

from app.json import json_size
from app.temporal.messages import RunResult
from app.temporal.payloads import DATA_CONVERTER


@pytest.mark.parametrize(
    "value", [None, {"a": [1, "щ", True, 1.5]}, 2**70, "a\x00b", "half \ud83d pair", "\u2028", "", b"bytes"]
)
async def test_a_value_comes_back_as_it_was_and_stock_clients_can_read_it(value: Any) -> None:
    payloads = await DATA_CONVERTER.encode([value])
    assert await DATA_CONVERTER.decode(payloads) == [value]
    assert await DataConverter.default.decode(payloads) == [value]


async def test_messages_come_back_as_their_types() -> None:
    result = RunResult(status="completed", output={"name": "Ада"})
    payloads = await DATA_CONVERTER.encode([result])
    assert await DATA_CONVERTER.decode(payloads, [RunResult]) == [result]


async def test_letters_take_the_room_they_have_in_utf_8() -> None:
    [payload] = DATA_CONVERTER.payload_converter.to_payloads(["щ" * 1000])
    assert len(payload.data) == 2002
    assert json_size("щ" * 1000) == 2002
    assert json_size("\ud83d") == 5
