"""The example with a schedule runs as it stands, started by its schedule."""

import httpx
import pytest

from tests.support.api_user import ApiUser, read
from tests.support.documents import EXAMPLES
from tests.support.http_stub import Answer, HttpStub


@pytest.mark.usefixtures("worker")
async def test_the_stock_check_names_what_runs_out(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    user = ApiUser(api_client)
    articles = [{"number": "A-1", "left": 2}, {"number": "A-2", "left": 40}]
    http_stub.answer("/stock", Answer(json={"articles": articles}))
    workflow_id = await user.publish(read(EXAMPLES / "stock-check.yaml", stock_url=f"{http_stub.url}/stock"))
    [schedule] = (await user.get(f"/v1/workflows/{workflow_id}/schedules"))["items"]
    triggered = await user.post(f"/v1/schedules/{schedule['id']}/trigger-now")
    run = await user.ended(triggered["run"]["id"])
    assert run["status"] == "completed", run["error"]
    assert (run["output"]["order"], run["output"]["day"]) == (["A-1"], run["trigger"]["data"]["local_time"][:10])
