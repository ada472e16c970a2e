"""The workflows in `examples/` and in the documents run as they stand, and do what they say they do."""

import base64
import json
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from app.json import Json, JsonObject
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES, Block, Runnable, blocks, runnables
from tests.support.http_stub import Answer, HttpStub
from tests.support.smtp_catcher import SmtpCatcher

pytestmark = pytest.mark.usefixtures("worker")

CRM_EVENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "crm-webhook-events"
COMPANY = {"company": {"name": "Blauwe Kade Logistics", "team_size": 42}}


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


@pytest.fixture
async def mail(user: ApiUser, smtp_catcher: SmtpCatcher) -> SmtpCatcher:
    config = {"host": smtp_catcher.host, "port": smtp_catcher.port, "security": "none", "from": "shop@example.com"}
    await user.connect("smtp", "smtp-main", config)
    return smtp_catcher


def event(name: str, **data: object) -> JsonObject:
    found: JsonObject = json.loads((EXAMPLES / "events" / f"{name}.json").read_text())
    return {**found, "data": {**found["data"], **data}}


async def new_lead(user: ApiUser, http_stub: HttpStub, contact: JsonObject, *, patience: str = "1m") -> str:
    """Publish the example with waits of a moment, and start it by its event."""
    url = f"{http_stub.url}/companies"
    definition = read(EXAMPLES / "new-lead.yaml", enrich_url=url, pause="10ms", patience=patience)
    await user.publish(definition)
    [run_id] = await user.send(contact)
    return run_id


async def test_a_new_lead_is_welcomed_and_written_to_again_when_the_deal_moves(
    user: ApiUser, mail: SmtpCatcher, http_stub: HttpStub
) -> None:
    http_stub.answer("/companies", Answer(json=COMPANY))
    run_id = await new_lead(user, http_stub, event("contact-created"))
    await user.waits(run_id, "stage_changed")
    await user.send(event("opportunity-stage-updated", contactId="somebody else") | {"id": "another"})
    await user.send(event("opportunity-stage-updated"))
    run = await user.ended(run_id)
    assert (run["status"], run["output"]["deal_moved"], run["output"]["company"]) == (
        "completed",
        True,
        "Blauwe Kade Logistics",
    )
    [lookup] = http_stub.asked("/companies")
    assert lookup.headers["Idempotency-Key"] == f"{run_id}/company"
    assert [each.recipients for each in mail.mails] == [["noor.devries@example.net"]] * 2
    subjects = [str(each.message["Subject"]) for each in mail.mails]
    assert subjects == ["Welcome, Noor", "Warehouse software for Blauwe Kade: the next step"]
    assert "Blauwe Kade Logistics" in mail.mails[0].part("text/plain")


async def test_a_new_lead_whose_deal_stands_still_is_reminded(
    user: ApiUser, mail: SmtpCatcher, http_stub: HttpStub
) -> None:
    run_id = await new_lead(user, http_stub, event("contact-created"), patience="50ms")
    run = await user.ended(run_id)
    assert (run["status"], run["output"]["deal_moved"]) == ("completed", False)
    assert str(mail.mails[1].message["Subject"]) == "Shall we talk?"


async def test_a_new_lead_is_welcomed_even_when_nothing_is_known_about_the_company(
    user: ApiUser, mail: SmtpCatcher, http_stub: HttpStub
) -> None:
    http_stub.answer("/companies", Answer(status=404))
    run_id = await new_lead(user, http_stub, event("contact-created"), patience="50ms")
    run = await user.ended(run_id)
    steps = await user.steps(run_id)
    assert (run["status"], steps["company"]["status"], run["output"]["company"]) == ("completed", "failed", None)
    assert "Blauwe Kade ask" in mail.mails[0].part("text/plain")


@pytest.mark.parametrize("contact", [{"dnd": True}, {"email": ""}, {"email": None}], ids=str)
async def test_a_new_lead_we_may_not_write_to_is_left_alone(
    user: ApiUser, mail: SmtpCatcher, http_stub: HttpStub, contact: JsonObject
) -> None:
    run = await user.ended(await new_lead(user, http_stub, event("contact-created", **contact)))
    assert (run["status"], mail.mails, http_stub.requests) == ("completed", [], [])


@pytest.mark.skipif(not CRM_EVENTS.exists(), reason=f"the CRM's own payloads are not here ({CRM_EVENTS})")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("contact-created", "ContactCreate"), ("opportunity-stage-updated", "OpportunityStageUpdate")],
)
async def test_the_example_events_have_the_shape_of_the_crms(ours: str, theirs: str) -> None:
    original = json.loads((CRM_EVENTS / f"{theirs}.json").read_text())
    assert shape(event(ours)["data"]) == shape(original)


@pytest.mark.skipif(not CRM_EVENTS.exists(), reason=f"the CRM's own payloads are not here ({CRM_EVENTS})")
async def test_a_new_lead_takes_the_crms_own_payloads(user: ApiUser, mail: SmtpCatcher, http_stub: HttpStub) -> None:
    contact = json.loads((CRM_EVENTS / "ContactCreate.json").read_text()) | {"dnd": False}
    moved = json.loads((CRM_EVENTS / "OpportunityStageUpdate.json").read_text()) | {"contactId": contact["id"]}
    run_id = await new_lead(user, http_stub, event("contact-created") | {"data": contact})
    await user.waits(run_id, "stage_changed")
    await user.send(event("opportunity-stage-updated") | {"data": moved})
    run = await user.ended(run_id)
    assert (run["status"], run["output"]["deal_moved"], len(mail.mails)) == ("completed", True, 2)


def shape(value: object) -> object:
    """Keys and kinds of values, of the first element for a list."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


ORDERS = [
    {"number": "A-1", "country": "DE", "total": 700, "paid": True},
    {"number": "A-2", "country": "NL", "total": 350.5, "paid": True},
    {"number": "A-3", "country": "DE", "total": 9000, "paid": False},
]


@pytest.mark.parametrize(
    ("orders", "output"),
    [
        (ORDERS, {"orders": 2, "revenue": 1050.5, "countries": ["DE", "NL"], "verdict": "reached"}),
        (ORDERS[:1], {"orders": 1, "revenue": 700, "countries": ["DE"], "verdict": "missed"}),
        (ORDERS[2:], {"verdict": "nothing sold"}),
    ],
)
async def test_the_order_report_counts_what_was_paid(user: ApiUser, orders: JsonObject, output: JsonObject) -> None:
    run = await user.run(await user.publish(read(EXAMPLES / "order-report.yaml")), {"orders": orders})
    assert (run["status"], run["output"]) == ("completed", output)


async def test_the_order_report_refuses_input_that_does_not_fit(user: ApiUser) -> None:
    workflow_id = await user.publish(read(EXAMPLES / "order-report.yaml"))
    answer = await user.client.post(f"/v1/workflows/{workflow_id}/runs", json={"input": {"orders": [{}]}})
    assert answer.status_code == 422, answer.text


async def test_the_website_check_completes_when_all_are_up(user: ApiUser, http_stub: HttpStub) -> None:
    urls = [f"{http_stub.url}/{number}" for number in range(6)]
    run = await user.run(await user.publish(read(EXAMPLES / "website-check.yaml")), {"urls": urls})
    assert (run["status"], run["output"]) == ("completed", {"checked": 6, "down": 0})


async def test_the_website_check_fails_and_names_the_one_that_is_down(user: ApiUser, http_stub: HttpStub) -> None:
    http_stub.answer("/gone", Answer(status=404))
    urls = [f"{http_stub.url}/{path}" for path in ("up", "gone")]
    run = await user.run(await user.publish(read(EXAMPLES / "website-check.yaml")), {"urls": urls})
    assert (run["status"], run["error"]["message"]) == ("failed", f"down: {http_stub.url}/gone")


@pytest.fixture
async def hook_secret(user: ApiUser) -> str:
    secret = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
    await user.connect("webhook", "shop-hook", {}, {"secret": secret})
    return secret


def quote_request(http_stub: HttpStub) -> JsonObject:
    carriers = [f"{http_stub.url}/slow", f"{http_stub.url}/fast"]
    return {"parcel": {"weight_kg": 2.5}, "carriers": carriers, "shop": f"{http_stub.url}/shop"}


async def test_the_fastest_quote_goes_to_the_shop_with_a_signature(
    user: ApiUser, http_stub: HttpStub, hook_secret: str
) -> None:
    http_stub.answer("/slow", Answer(hang=True))
    http_stub.answer("/fast", Answer(json={"price": 7.5}))
    run = await user.run(await user.publish(read(EXAMPLES / "fastest-quote.yaml")), quote_request(http_stub))
    quote = {"carrier": "second", "price": 7.5}
    assert (run["status"], run["output"]) == ("completed", {"quote": quote, "shop_told": True, "shop_error": ""})
    [told] = http_stub.asked("/shop")
    assert Webhook(hook_secret).verify(told.body, dict(told.headers)) == {"type": "quote.found", "data": quote}
    assert json.loads(http_stub.asked("/fast")[0].body) == {"weight_kg": 2.5}


@pytest.mark.usefixtures("hook_secret")
async def test_a_shop_that_refuses_the_quote_is_noted(user: ApiUser, http_stub: HttpStub) -> None:
    http_stub.answer("/slow", Answer(status=500))
    http_stub.answer("/fast", Answer(json={"price": 7.5}))
    http_stub.answer("/shop", Answer(status=422))
    run = await user.run(await user.publish(read(EXAMPLES / "fastest-quote.yaml")), quote_request(http_stub))
    assert (run["status"], run["output"]["shop_told"]) == ("completed", False)
    assert "422" in run["output"]["shop_error"]


CART = {"contact_id": "c-1", "email": "ada@example.com", "total": 80}


def shop_event(type: str, data: JsonObject) -> JsonObject:
    return {"specversion": "1.0", "id": f"{type}-1", "source": "/shop", "type": f"ecommerce.{type}", "data": data}


async def test_a_cart_is_remembered_unless_it_is_small(user: ApiUser, mail: SmtpCatcher) -> None:
    await user.publish(read(EXAMPLES / "cart-reminder.yaml", pause="10ms", patience="50ms"))
    small = shop_event("cart.abandoned", CART | {"total": 49.99})
    assert await user.send(small | {"id": "small"}) == []
    [run_id] = await user.send(shop_event("cart.abandoned", CART))
    run = await user.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", {"reminded": True, "order": None})
    assert "80 EUR" in mail.mails[0].part("text/html")


async def test_a_cart_that_was_bought_is_not_remembered(user: ApiUser, mail: SmtpCatcher) -> None:
    await user.publish(read(EXAMPLES / "cart-reminder.yaml", pause="10ms", patience="1m"))
    [run_id] = await user.send(shop_event("cart.abandoned", CART))
    await user.send(shop_event("order.shipped", {"contact_id": "c-1", "order_id": "0"}))
    await user.send(shop_event("order.paid", {"contact_id": "c-1", "order_id": "1042"}))
    run = await user.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", {"reminded": False, "order": "1042"})
    assert mail.mails == []


ORDER: JsonObject = {
    "number": "A-1042",
    "customer": {
        "name": "Noor de Vries",
        "payment_method": "pm_5f2c",
        "address": {"street": "18 Harbour Lane", "city": "Rotterdam", "postal_code": "3011", "country": "NL"},
    },
    "lines": [
        {"sku": "desk-oak", "quantity": 1, "unit_price": 349.95},
        {"sku": "lamp-brass", "quantity": 2, "unit_price": 19.9},
    ],
}
UNDONE = ["POST /refunds", "DELETE /reservations/r-7"]


async def order(user: ApiUser, http_stub: HttpStub, *, parcel: list[str], shipment: Answer | None = None) -> str:
    """Start the example for one order; `parcel` is what the carrier says at each look, `shipment` its first answer."""
    http_stub.answer("/reservations", Answer(status=201, json={"id": "r-7"}))
    http_stub.answer("/charges", Answer(status=201, json={"id": "ch-31", "status": "paid"}))
    taken = Answer(status=201, json={"id": "s-55"})
    http_stub.answer("/shipments", *([shipment] if shipment else []), taken)
    http_stub.answer("/shipments/s-55", *(Answer(json={"status": status}) for status in parcel))
    places = dict.fromkeys(("warehouse", "payments", "carrier"), http_stub.url)
    workflow_id = await user.publish(read(EXAMPLES / "order-fulfilment.yaml", pace="10ms", **places))
    started = await user.post(f"/v1/workflows/{workflow_id}/runs", {"input": ORDER})
    return str(started["id"])


def effects(http_stub: HttpStub) -> list[str]:
    """What was changed at the providers, in order."""
    return [f"{each.method} {each.path}" for each in http_stub.requests if each.method != "GET"]


async def test_an_order_is_followed_until_its_parcel_is_delivered(user: ApiUser, http_stub: HttpStub) -> None:
    run = await user.ended(await order(user, http_stub, parcel=["announced", "in_transit", "delivered"]))
    assert (run["status"], run["output"]) == (
        "completed",
        {"order": "A-1042", "shipment": "s-55", "charged": 389.75, "looked": 3},
    )
    assert effects(http_stub) == ["POST /reservations", "POST /charges", "POST /shipments"]
    assert json.loads(http_stub.asked("/charges")[0].body)["amount"] == 38975


async def test_an_order_whose_parcel_comes_back_is_undone_from_the_end(user: ApiUser, http_stub: HttpStub) -> None:
    run = await user.ended(await order(user, http_stub, parcel=["in_transit", "returned"]))
    assert (run["status"], run["error"]["message"]) == ("failed", "The parcel of order A-1042 came back.")
    assert effects(http_stub)[3:] == UNDONE
    refund = json.loads(http_stub.asked("/refunds")[0].body)
    assert refund == {"charge": "ch-31", "reason": "The parcel of order A-1042 came back."}
    assert (await user.steps(run["id"]))["charged.compensate.refund"]["status"] == "completed"


async def test_an_order_the_carrier_refuses_is_held_until_its_address_is_mended(
    user: ApiUser, http_stub: HttpStub
) -> None:
    unknown = Answer(status=422, json={"error": "unknown postal code 3011"})
    run_id = await order(user, http_stub, parcel=["delivered"], shipment=unknown)
    held = await user.held(run_id)
    assert (held["error"]["type"], held["error"]["step_id"]) == ("provider_rejected", "shipped")
    assert "unknown postal code" in held["error"]["message"]
    refused = (await user.steps(run_id))["shipped"]["inputs"]
    address = {**refused["json"]["address"], "postal_code": "3011 AB"}
    inputs = {**refused, "json": {**refused["json"], "address": address}}
    await user.post(f"/v1/runs/{run_id}/decide", {"step_path": "shipped", "decision": "retry", "inputs": inputs})
    run = await user.ended(run_id)
    assert (run["status"], run["output"]["shipment"]) == ("completed", "s-55")
    first, second = http_stub.asked("/shipments")
    assert json.loads(second.body)["address"]["postal_code"] == "3011 AB"
    # A provider would answer an old key with the old refusal.
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


async def test_an_order_nobody_can_ship_is_undone(user: ApiUser, http_stub: HttpStub) -> None:
    run_id = await order(user, http_stub, parcel=[], shipment=Answer(status=422))
    await user.held(run_id)
    await user.post(f"/v1/runs/{run_id}/decide", {"step_path": "shipped", "decision": "fail"})
    run = await user.ended(run_id)
    assert (run["status"], run["error"]["type"], run["error"]["step_id"]) == ("failed", "provider_rejected", "shipped")
    assert effects(http_stub)[3:] == UNDONE


@pytest.mark.parametrize("example", list(runnables()), ids=lambda example: example.place)
async def test_a_documented_workflow_does_what_the_page_says(user: ApiUser, example: Runnable) -> None:
    if example.first is not None:
        await user.publish(example.first)
    workflow_id = await user.publish(example.definition)
    started = await user.post(f"/v1/workflows/{workflow_id}/runs", {"input": example.input})
    if example.held is not None:
        assert part(await user.held(started["id"]), example.held) == example.held
        await user.post(f"/v1/runs/{started['id']}/decide", example.decision)
    run = await user.ended(started["id"])
    assert part(run, example.ends) == example.ends, run["error"]


def part(value: Json, like: Json) -> Json:
    """The value without the keys that `like` does not have."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: part(inner, like[key]) for key, inner in value.items() if key in like}
    return value


async def test_the_workflow_of_the_readme_offers_help_after_a_while(user: ApiUser, mail: SmtpCatcher) -> None:
    [block] = [block for block in blocks("yaml") if block.page.name == "README.md"]
    definition = block.content()
    await user.publish({**definition, "variables": {"patience": "50ms"}})
    trial = {"account_id": "a-17", "email": "ada@example.com", "first_name": "Ada"}
    [run_id] = await user.send({"type": "app.trial.started", "data": trial})
    run = await user.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", {"upgraded": False})
    assert [str(each.message["Subject"]) for each in mail.mails] == ["Welcome, Ada", "Can we help?"]


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "event"], ids=lambda b: b.place)
async def test_a_documented_event_is_taken(user: ApiUser, block: Block) -> None:
    assert await user.send(block.content()) == []


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "connection"], ids=lambda b: b.place)
async def test_a_documented_connection_can_be_made(user: ApiUser, block: Block) -> None:
    made = await user.post("/v1/connections", block.content())
    assert made["credentials"]["configured"] is True


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "workflow"], ids=lambda b: b.place)
async def test_a_documented_request_makes_a_workflow(user: ApiUser, block: Block) -> None:
    workflow = await user.post("/v1/workflows", block.content())
    verdict = await user.post(f"/v1/workflows/{workflow['id']}/validate")
    assert verdict == {"valid": True, "problems": []}
