"""Approvals over HTTP: by key, and by the page a link opens."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.json import Json, JsonObject
from app.services import approvals
from app.services.errors import Unavailable
from tests.integration.api.calls import an_active_workflow, is_, made, paths, problem
from tests.support.approving import ask
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

FORM = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "title": "Amount <b>"},
        "why": {"type": "string", "format": "textarea"},
        "sure": {"type": "boolean"},
        "more": {"type": "object"},
        "comment": {"type": "string"},
    },
}


async def asks(client: httpx.AsyncClient, *, then: list[JsonObject] | None = None, **step: Json) -> JsonObject:
    """The open approval of a new run."""
    workflow_id = await an_active_workflow(
        client, ask(**step), *(then or []), output="{{ steps.ask.output | default(none) }}"
    )
    run = await made(client, f"/v1/workflows/{workflow_id}/runs", {"input": {}})

    async def there() -> JsonObject | None:
        found = (await client.get(f"/v1/approvals?run_id={run['id']}")).json()["items"]
        return found[0] if found else None

    found = await eventually(there, what="the approval")
    assert found is not None
    await is_(client, run["id"], "waiting")
    return found


def page_of(approval: JsonObject, number: int = 0) -> str:
    return urlsplit(approval["links"][number]["link"]).path


async def test_an_approval_is_listed_answered_and_shown(api_client: httpx.AsyncClient) -> None:
    asked = await asks(api_client, approvers=["ann", "bob"], form=FORM, message="Read it.", timeout="1h")
    assert (asked["title"], asked["message"], asked["status"], asked["answer"]) == (
        "Ship it?",
        "Read it.",
        "open",
        None,
    )
    assert [each["approver"] for each in asked["links"]] == ["ann", "bob"]
    assert asked["form"] == FORM
    url = f"/v1/runs/{asked['run_id']}/approve"
    body: JsonObject = {"step_path": "ask", "decision": "approve", "answer": {"amount": 0}, "comment": "ok"}
    refused = problem(await api_client.post(url, json=body), 422, "invalid_answer")
    assert paths(refused) == ["answer.amount"]
    refused = problem(await api_client.post(url, json={**body, "answer": {}}), 422, "invalid_answer")
    assert paths(refused) == ["answer.amount"]
    body["answer"] = {"amount": 5}
    refused = problem(await api_client.post(url, json={**body, "approver": "eve"}), 422, "invalid_answer")
    assert paths(refused) == ["approver"]
    await made(api_client, url, {**body, "approver": "bob"})
    run = await is_(api_client, asked["run_id"], "completed")
    assert (run["output"]["approved"], run["output"]["by"], run["output"]["answer"]) == (True, "bob", {"amount": 5})
    shown = (await api_client.get(f"/v1/approvals/{asked['id']}")).json()
    assert (shown["status"], shown["answer"]["by"], shown["answer"]["via"], shown["links"]) == (
        "approved", "bob", "api", [],
    )  # fmt: skip
    assert (await api_client.get("/v1/approvals")).json()["items"] == []
    assert len((await api_client.get("/v1/approvals?status=all")).json()["items"]) == 1
    await made(api_client, url, {**body, "approver": "bob"})
    told = problem(await api_client.post(url, json={**body, "approver": "ann"}), 409, "approval_answered")
    assert "bob approved it" in told["detail"]


async def test_the_only_open_approval_needs_no_path_and_the_key_answers(api_client: httpx.AsyncClient) -> None:
    asked = await asks(api_client)
    await made(api_client, f"/v1/runs/{asked['run_id']}/approve", {"decision": "reject", "comment": "no"})
    run = await is_(api_client, asked["run_id"], "completed")
    assert (run["output"]["decision"], run["output"]["comment"], bool(run["output"]["by"])) == ("rejected", "no", True)
    again = await api_client.post(f"/v1/runs/{asked['run_id']}/approve", json={"decision": "approve"})
    problem(again, 409, "approval_not_open")
    nowhere = {"decision": "approve", "step_path": "nowhere"}
    problem(await api_client.post(f"/v1/runs/{asked['run_id']}/approve", json=nowhere), 404, "approval_not_found")


async def test_runs_that_wait_for_an_approval_are_found_and_answered_together(api_client: httpx.AsyncClient) -> None:
    asked = await asks(api_client)
    found = (await api_client.get("/v1/runs?waiting_for=approval")).json()["items"]
    assert [(run["id"], run["waiting_for"]["kind"]) for run in found] == [(asked["run_id"], "approval")]
    body = {"control": "approve", "filter": {"waiting_for": "approval"}, "arguments": {"decision": "approve"}}
    done = await made(api_client, "/v1/runs/control", body)
    assert [(item["run_id"], item["outcome"]) for item in done["items"]] == [(asked["run_id"], "done")]
    await is_(api_client, asked["run_id"], "completed")


async def test_pages_of_the_list_go_on_where_they_ended(api_client: httpx.AsyncClient) -> None:
    first, second = await asks(api_client), await asks(api_client)
    page = (await api_client.get("/v1/approvals?limit=1")).json()
    rest = (await api_client.get(f"/v1/approvals?limit=1&cursor={page['next_cursor']}")).json()
    assert [each["id"] for each in page["items"] + rest["items"]] == [first["id"], second["id"]]
    assert rest["next_cursor"] is None
    problem(await api_client.get("/v1/approvals?cursor=nope"), 422, "invalid_cursor")


async def test_nobody_sees_or_answers_another_workspaces_approvals(
    api_client: httpx.AsyncClient, platform: Any, anybody: httpx.AsyncClient
) -> None:
    from app.services.workspaces import create_workspace  # noqa: PLC0415

    asked = await asks(api_client)
    _, key = await create_workspace(platform, "Other")
    other = {"Authorization": f"Bearer {key}"}
    assert (await anybody.get("/v1/approvals?status=all", headers=other)).json()["items"] == []
    problem(await anybody.get(f"/v1/approvals/{asked['id']}", headers=other), 404, "approval_not_found")
    url = f"/v1/runs/{asked['run_id']}/approve"
    problem(await anybody.post(url, json={"decision": "approve"}, headers=other), 404, "run_not_found")
    problem(await anybody.get("/v1/approvals"), 401, "missing_api_key")


# The page


async def test_a_page_shows_the_form_and_looking_at_it_decides_nothing(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    asked = await asks(
        api_client, approvers=["ann"], form=FORM, title="<script>alert(1)</script>", message="a & b", timeout="1h"
    )
    for _ in range(2):
        page = await anybody.get(page_of(asked))
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "a &amp; b" in page.text
    assert "Amount &lt;b&gt; (required)" in page.text
    assert 'name="field.amount"' in page.text
    assert page.text.count("<button") == 2
    labelled = set(re.findall(r'<label for="([^"]+)"', page.text))
    assert labelled == set(re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', page.text))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"
    assert (await api_client.get(f"/v1/approvals/{asked['id']}")).json()["status"] == "open"


async def test_a_person_answers_by_the_page_once(api_client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    asked = await asks(api_client, approvers=["ann", "bob"], form=FORM)
    wrong = {"decision": "approve", "field.amount": "0", "field.why": "<i>", "field.more": "{", "comment": "well"}
    page = await anybody.post(page_of(asked), data=wrong)
    assert page.status_code == 422
    assert "is no JSON" in page.text
    page = await anybody.post(page_of(asked), data={**wrong, "field.more": ""})
    assert (page.status_code, 'aria-invalid="true"' in page.text) == (422, True)
    assert "must be at least" in page.text
    assert "&lt;i&gt;</textarea>" in page.text, "what was filled in stands there still"
    right = {**wrong, "field.amount": "12", "field.more": '{"a": 1}', "field.comment": "mine", "field.sure": "true"}
    page = await anybody.post(page_of(asked), data=right)
    assert (page.status_code, "ann approved this on" in page.text) == (200, True)
    run = await is_(api_client, asked["run_id"], "completed")
    output = run["output"]
    assert (output["by"], output["via"], output["comment"]) == ("ann", "link", "well")
    assert output["answer"] == {"amount": 12, "why": "<i>", "sure": True, "more": {"a": 1}, "comment": "mine"}
    page = await anybody.post(page_of(asked), data=right)
    assert page.status_code == 200, "the same again is no other answer"
    page = await anybody.post(page_of(asked, 1), data={"decision": "reject"})
    assert (page.status_code, "ann approved this on" in page.text) == (409, True)
    page = await anybody.get(page_of(asked, 1))
    assert (page.status_code, "ann approved this on" in page.text, "<form" in page.text) == (410, True, False)


async def test_without_approvers_the_page_asks_who_answers(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    asked = await asks(api_client, form=FORM)
    page = await anybody.post(page_of(asked), data={"decision": "reject", "by": " "})
    assert (page.status_code, "Your name" in page.text) == (422, True)
    page = await anybody.post(page_of(asked), data={"decision": "reject", "by": "Cleo", "comment": "no"})
    assert (page.status_code, "Cleo rejected this on" in page.text) == (200, True)
    run = await is_(api_client, asked["run_id"], "completed")
    assert (run["output"]["by"], run["output"]["approved"], run["output"]["answer"]) == ("Cleo", False, None)


async def test_a_link_to_what_is_over_says_so(api_client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    asked = await asks(api_client, then=[{"id": "later", "type": "delay", "duration": "1h"}], timeout="2s")

    async def over() -> bool:
        return (await anybody.get(page_of(asked))).status_code == 410

    await eventually(over, what="the approval is over")
    assert "Nobody answered until" in (await anybody.get(page_of(asked))).text
    page = await anybody.post(page_of(asked), data={"decision": "approve", "by": "Cleo"})
    assert (page.status_code, "Nobody answered" in page.text) == (409, True)
    await api_client.post(f"/v1/runs/{asked['run_id']}/cancel")
    asked = await asks(api_client)
    await api_client.post(f"/v1/runs/{asked['run_id']}/cancel")
    await is_(api_client, asked["run_id"], "cancelled")
    page = await anybody.get(page_of(asked))
    assert (page.status_code, "no longer asked" in page.text) == (410, True)


async def test_a_wrong_link_and_a_body_that_is_no_form_are_told_in_plain_words(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    asked = await asks(api_client)
    good = page_of(asked)
    texts = set()
    for wrong in (good[:-1], good[:-2] + "AA", "/approvals/x", "/approvals/" + "A" * 96, "/approvals/%00"):
        for page in (await anybody.get(wrong), await anybody.post(wrong, data={"decision": "approve"})):
            assert page.status_code == 404, wrong
            texts.add(page.text)
    assert len(texts) == 1
    assert (await anybody.post(good, json={"decision": "approve"})).status_code == 415
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await anybody.post(good, content=b"a=%ff", headers=form)).status_code == 400
    assert (await anybody.post(good, content=b"decision=approve&by=%00", headers=form)).status_code == 422
    assert (await anybody.post(good, content=b"a=1&" * 2000, headers=form)).status_code == 400
    page = await anybody.post(good, data={"by": "Cleo"})
    assert (page.status_code, "choose Approve or Reject" in page.text) == (422, True)
    assert (await api_client.get(f"/v1/approvals/{asked['id']}")).json()["status"] == "open"


async def test_a_page_whose_database_is_away_says_when_to_come_back(
    anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    monkeypatch.setattr(approvals, "by_link", away)
    page = await anybody.get("/approvals/secret")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "in a moment" in page.text


async def test_no_link_stands_in_the_log_of_what_broke(
    anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(approvals, "by_link", broken)
    problem(await anybody.get("/approvals/secret"), 500, "internal_error")
    assert "/approvals/..." in caplog.text
    assert "secret" not in caplog.records[-1].getMessage()
