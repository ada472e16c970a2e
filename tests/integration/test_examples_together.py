"""Examples of several workflows that belong together."""

import httpx
import pytest

from app.json import JsonObject
from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES

pytestmark = pytest.mark.usefixtures("worker")


@pytest.mark.parametrize(("amount", "granted"), [(10_000, True), (200_000, False)])
async def test_a_loan_application_is_answered_at_once_and_decided_by_another_workflow(
    api_client: httpx.AsyncClient, amount: int, granted: bool
) -> None:
    user = ApiUser(api_client)
    await user.publish(read(EXAMPLES / "credit-check.yaml"))
    workflow_id = await user.publish(read(EXAMPLES / "loan-application.yaml"))
    asked: JsonObject = {"input": {"amount": amount, "income": 30_000, "debts": [5_000, 10_000]}}
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/runs", json=asked, headers={"Prefer": "wait=30"})
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["status"]) == (202, "60", "in review")
    run = await user.ended(answer.json()["application"])
    assert run["output"] == {"granted": granted, "limit": 105_000}
