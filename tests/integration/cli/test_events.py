"""`holdfast events`: looking at what came, and letting it happen once more; and what a run is started with."""

import pytest

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("worker")

LISTENING = """
name: Listening
trigger: {type: event, event: shop.order.paid}
steps: [{id: note, type: transform, mapping: {order: "{{ trigger.order }}"}}]
"""
SEATS = """
name: Book seats
trigger:
  type: manual
  input_schema:
    type: object
    required: [email]
    properties:
      email: {type: string, format: email, description: Where the tickets go.}
      seats: {type: integer, minimum: 1, default: 2}
      row: {enum: [front, back]}
steps: [{id: note, type: transform, mapping: {seats: "{{ trigger.seats }}"}}]
"""


async def test_events_are_listed_shown_and_replayed(cli: Cli) -> None:
    await cli("apply", "-f", "-", stdin=LISTENING)
    await cli("events", "send", "shop.order.paid", "--id", "urn:o/1", "--subject", "order/1", "--data", '{"order": 1}')
    await cli("events", "send", "shop.order.lost", "--id", "o-2")

    listed = await cli("events", "list")
    lines = listed.out.splitlines()
    assert lines[0].split() == ["EVENT", "TYPE", "SOURCE", "SUBJECT", "RECEIVED", "DID"]
    assert lines[1].startswith("o-2")
    assert lines[1].rstrip().endswith("nobody waited for it")
    assert "order/1" in lines[2]
    assert lines[2].rstrip().endswith("started 1")

    shown = await cli("events", "show", "urn:o/1")
    assert "shop.order.paid urn:o/1" in shown.out
    assert "Listening" in shown.out
    seen = (await cli("events", "show", "urn:o/1", "--json")).json()

    replayed = await cli("events", "replay", "urn:o/1", "--workflow", "listening", "--json")
    done = replayed.json()
    assert done["event"]["extensions"]["replayof"] == "urn:o/1"
    assert done["event"]["runs"][0]["workflow_id"] == seen["runs"][0]["workflow_id"]

    found = (await cli("events", "list", "--type", "shop.order.*", "-q", "urn:o", "--dispatched", "--json")).json()
    assert [event["id"] for event in found] == [done["event"]["id"], "urn:o/1"][-len(found) :]
    assert found[-1]["data"] == {"order": 1}
    assert "no events" in (await cli("events", "list", "--undispatched")).err


async def test_what_is_not_there_is_said(cli: Cli) -> None:
    assert (await cli("events", "show", "nothing")).code == ExitCode.NOT_FOUND
    assert (await cli("events", "replay", "nothing", "--source", "/shop")).code == ExitCode.NOT_FOUND
    assert (await cli("events", "list", "--received-after", "noon")).code == ExitCode.USAGE
    assert (await cli("events", "types", "crm.deal.wom")).code == ExitCode.NOT_FOUND


async def test_the_types_that_are_known_are_told(cli: Cli) -> None:
    listed = await cli("events", "types", "--category", "crm", "-q", "stage")
    one = await cli("events", "types", "crm.deal.won")
    bare = await cli("events", "types", "ecommerce.order.paid")

    assert listed.out.splitlines()[1].startswith("crm.deal.stage_changed")
    assert "deal_id" in one.out
    assert "no fields" in bare.err


async def test_a_run_with_a_wrong_input_is_told_field_by_field(cli: Cli) -> None:
    await cli("apply", "-f", "-", stdin=SEATS)

    ended = await cli("run", "book-seats", "--input", '{"seats": 0, "row": "middle"}')
    fields = await cli("workflows", "input", "book-seats")

    assert ended.code == ExitCode.REFUSED
    assert "holdfast workflows input book-seats" in ended.err
    for line in (
        "input.email: is required",
        "input.seats: must be at least 1",
        "input.row: must be one of front, back",
    ):
        assert line in ended.err
    assert {line.split()[0] for line in fields.out.splitlines()} == {"FIELD", "email", "seats", "row"}
    assert "Where the tickets go." in fields.out
