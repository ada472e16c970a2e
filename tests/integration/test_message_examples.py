"""What the page about messages and the example show is so, from the first message to the mail."""

import httpx
import pytest

from app.json import JsonObject
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES, blocks
from tests.support.providers import TWILIO, Receiver, receiving
from tests.support.smtp_catcher import SmtpCatcher

pytestmark = pytest.mark.usefixtures("worker")

HELP = {
    "MessageSid": "SM1",
    "SmsStatus": "received",
    "From": "whatsapp:+4366412345678",
    "To": "whatsapp:+15017122661",
    "ProfileName": "Ada",
    "Body": "It has not come yet.",
}


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


@pytest.fixture
async def line(api_client: httpx.AsyncClient) -> Receiver:
    return await receiving(api_client, TWILIO | {"name": "support-line"})


async def the_run(user: ApiUser, workflow_id: str) -> JsonObject:
    [run] = (await user.get(f"/v1/runs?workflow_id={workflow_id}"))["items"]
    found: JsonObject = run
    return found


async def test_somebody_who_writes_is_asked_back_and_handed_to_the_team(
    user: ApiUser, line: Receiver, smtp_catcher: SmtpCatcher
) -> None:
    server = {"host": smtp_catcher.host, "port": smtp_catcher.port, "security": "none", "from": "shop@example.com"}
    await user.connect("smtp", "smtp-main", server)
    workflow_id = await user.publish(read(EXAMPLES / "order-help.yaml"))
    asked = await line.twilio(HELP)
    assert "<Message>Thank you for writing to us! What is the number of your order?</Message>" in asked.text
    run = await the_run(user, workflow_id)
    await user.waits(run["id"], "number")
    await line.twilio(HELP | {"MessageSid": "SM2", "Body": "1042"})
    assert (await user.ended(run["id"]))["output"] == {"order": "1042"}
    [mail] = smtp_catcher.mails
    assert (mail.recipients, str(mail.message["Subject"])) == (["support@shop.example"], "Ada needs help")
    assert "+4366412345678 wrote: It has not come yet.\nOrder: 1042" in mail.part("text/plain").replace("\r\n", "\n")


async def test_somebody_who_answers_no_more_is_handed_to_the_team_as_well(
    user: ApiUser, line: Receiver, smtp_catcher: SmtpCatcher
) -> None:
    server = {"host": smtp_catcher.host, "port": smtp_catcher.port, "security": "none", "from": "shop@example.com"}
    await user.connect("smtp", "smtp-main", server)
    workflow_id = await user.publish(read(EXAMPLES / "order-help.yaml", patience="50ms"))
    await line.twilio({name: value for name, value in HELP.items() if name != "ProfileName"})
    assert (await user.ended((await the_run(user, workflow_id))["id"]))["output"] == {"order": None}
    [mail] = smtp_catcher.mails
    assert str(mail.message["Subject"]) == "Somebody needs help"
    assert "Order: no answer yet" in mail.part("text/plain")


def shown(place: int) -> JsonObject:
    """One of the page's workflows."""
    found = [each for each in blocks("yaml") if each.page.name == "messages.md" and each.kind == ""]
    definition: JsonObject = found[place].content()
    return definition


async def test_the_pages_workflow_takes_an_sms(user: ApiUser, line: Receiver) -> None:
    workflow_id = await user.publish(shown(0))
    await line.twilio(HELP | {"From": "+4366412345678", "Body": "Where is my order?"})
    assert (await user.ended((await the_run(user, workflow_id))["id"]))["status"] == "completed"


async def test_the_pages_workflow_takes_a_call(user: ApiUser, line: Receiver) -> None:
    workflow_id = await user.publish(shown(2))
    call = {"CallSid": "CA1", "From": "+4366412345678", "To": "+15017122661"}
    assert "Good day!" in (await line.twilio(call, "/voice")).text
    told = call | {"TranscriptionText": "Call me", "TranscriptionStatus": "completed"}
    await line.twilio(told, "/voice/transcript")
    await line.twilio(call | {"CallStatus": "completed", "CallDuration": "5"}, "/voice/status")
    assert (await user.ended((await the_run(user, workflow_id))["id"]))["status"] == "completed"
