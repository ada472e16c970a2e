"""What the page about approvals and the example show is so, from the mail to the answer."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES, blocks
from tests.support.smtp_catcher import SmtpCatcher
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def user(api_client: httpx.AsyncClient) -> ApiUser:
    return ApiUser(api_client)


@pytest.fixture
async def mail(user: ApiUser, smtp_catcher: SmtpCatcher) -> SmtpCatcher:
    config = {"host": smtp_catcher.host, "port": smtp_catcher.port, "security": "none", "from": "shop@example.com"}
    await user.connect("smtp", "smtp-main", config)
    return smtp_catcher


async def answers(app: Any, body: str, **said: str) -> httpx.Response:
    """Open the link in a mail and send the form, without a key."""
    [link] = re.findall(r"https?://[^\s]+/approvals/[^\s]+", body)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as browser:
        path = urlsplit(link).path
        assert (await browser.get(path)).status_code == 200
        return await browser.post(path, data=said)


async def bodies(mail: SmtpCatcher, count: int) -> list[str]:
    """The texts of the mails, once there are so many."""
    await eventually(lambda: len(mail.mails) == count, what=f"{count} mails")
    return [each.part("text/plain") for each in mail.mails]


async def test_the_workflow_of_the_page_does_what_it_says(user: ApiUser, mail: SmtpCatcher, api_app: Any) -> None:
    definition, result = [
        block for block in blocks("yaml", "json") if block.page.name == "approvals.md" and block.kind in ("", "output")
    ]
    workflow_id = await user.publish(definition.content())
    body = {"input": json.loads(result.words.partition(" input=")[2])}
    run = await user.post(f"/v1/workflows/{workflow_id}/runs", body)
    [text] = await bodies(mail, 1)
    page = await answers(api_app, text, decision="approve", **{"field.section": "0"})
    assert page.status_code == 200, page.text
    assert (await user.ended(run["id"]))["output"] == result.content()


async def refund(user: ApiUser, amount: int) -> str:
    workflow_id = await user.publish(read(EXAMPLES / "refund-approval.yaml"))
    given = {"order": "A-1042", "amount": amount, "customer": "ada@example.com"}
    return str((await user.post(f"/v1/workflows/{workflow_id}/runs", {"input": given}))["id"])


async def test_a_large_refund_is_paid_when_somebody_says_so(user: ApiUser, mail: SmtpCatcher, api_app: Any) -> None:
    run_id = await refund(user, 480)
    texts = await bodies(mail, 2)
    assert [each.recipients for each in mail.mails] == [["finance@example.com"], ["head@example.com"]]
    page = await answers(api_app, texts[1], decision="approve", **{"field.amount": "300", "field.reason": "0"})
    assert page.status_code == 200, page.text
    assert (await user.ended(run_id))["output"] == {"refunded": 300, "by": "head@example.com"}
    assert "You get 300 back." in mail.mails[2].part("text/plain")


async def test_a_large_refund_that_is_rejected_is_not_paid(user: ApiUser, mail: SmtpCatcher, api_app: Any) -> None:
    run_id = await refund(user, 480)
    texts = await bodies(mail, 2)
    assert (await answers(api_app, texts[0], decision="reject", comment="no")).status_code == 200
    assert (await user.ended(run_id))["output"] == {"refunded": 0, "by": "finance@example.com"}
    assert len(mail.mails) == 2


async def test_a_small_refund_asks_nobody(user: ApiUser, mail: SmtpCatcher) -> None:
    assert (await user.ended(await refund(user, 20)))["output"] == {"refunded": 20, "by": "nobody"}
    assert len(mail.mails) == 1
