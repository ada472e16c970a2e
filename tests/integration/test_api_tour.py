"""The tour of `docs/api.md` can be taken as it is written: every `curl` line, one after the other."""

import json
import shlex
from dataclasses import dataclass, field

import httpx
import pytest

from app.json import Json
from tests.support.documents import blocks, commands

pytestmark = pytest.mark.usefixtures("worker")


@dataclass
class Call:
    """One line of `curl`, read as curl reads it."""

    method: str = "GET"
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = None


def calls() -> list[str]:
    return [line for place, line in commands() if place == "api.md" and line.startswith("curl")]


def read_call(line: str, known: dict[str, str]) -> Call:
    call = Call()
    words = iter(shlex.split(line)[1:])
    for word in words:
        if word == "-X":
            call.method = next(words)
        elif word == "-H":
            name, _, value = substituted(next(words), known).partition(": ")
            call.headers[name] = value
        elif word == "--json":
            text = next(words)
            call.body = requests()[text] if text.startswith("@") else json.loads(text)
            call.method = "POST" if call.method == "GET" else call.method
        elif word != "-N":
            call.path = substituted(word, known).removeprefix("$HOLDFAST")
    return call


def substituted(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"${name}", value)
    return text


def requests() -> dict[str, Json]:
    """What the page calls `workflow.json` and `control.json`."""
    found = list(blocks("json"))
    contents = [block.content() for block in found if block.page.name == "api.md"]
    return {
        "@workflow.json": next(block.content() for block in found if block.kind == "workflow"),
        "@control.json": next(content for content in contents if isinstance(content, dict) and "control" in content),
    }


async def test_the_tour_of_the_api_can_be_taken(api_client: httpx.AsyncClient) -> None:
    known: dict[str, str] = {}
    seen = []
    for line in calls():
        call = read_call(line, known)
        call.headers.pop("Authorization")
        answer = await api_client.request(call.method, call.path, json=call.body, headers=call.headers)
        # The one run has completed: there is nothing left to steer, and the answer says so.
        steers = call.method == "POST" and call.path.startswith(f"/v1/runs/{known.get('RUN')}/")
        assert answer.status_code == 409 if steers else answer.is_success, f"{line}: {answer.status_code} {answer.text}"
        if answer.headers["content-type"].startswith("application/json"):
            remember(known, call, answer)
        seen.append((call.method, answer.status_code))
    assert ("POST", 201) in seen
    assert ("GET", 200) in seen


def remember(known: dict[str, str], call: Call, answer: httpx.Response) -> None:
    """What a reader would note down: the ids of workflow and run, the last `ETag`."""
    found = answer.json()
    if call.method == "POST" and call.path == "/v1/workflows":
        known["ID"] = found["id"]
    if call.path.endswith("/runs") and call.method == "POST":
        assert (found["status"], found["output"]) == ("completed", "Hello, Ada!")
        known["RUN"] = found["id"]
    if call.path.startswith("/v1/runs?"):
        # One run was started and has ended: whoever asks for runs that stand still finds none.
        assert [run["id"] for run in found["items"]] == ([known["RUN"]] if "completed" in call.path else [])
    if "ETag" in answer.headers:
        known["ETAG"] = answer.headers["ETag"]
