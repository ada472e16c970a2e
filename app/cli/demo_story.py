"""What happens in `holdfast demo`, told to a running API over HTTP: a connection, a workflow, two events, and a look at
everything they caused. Which servers run, and how it looks, is not known here.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.markup import escape

from app.cli.client import Api
from app.cli.demo_checks import checks
from app.cli.demo_providers import Providers
from app.cli.demo_view import Ending, Stage
from app.cli.documents import document
from app.cli.exits import CliError, ExitCode
from app.cli.stream import DONE, follow
from app.embedded.ports import LOOPBACK
from app.json import Json, JsonObject

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAME = "New lead (demo)"
CONNECTION = "demo-mail"
PAUSE = timedelta(seconds=3)
PATIENCE = "2m"
WAIT_STEP = "stage_changed"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Events:
    """The two events, as fresh as if the CRM had just sent them: new ids, one contact."""

    contact: JsonObject
    opportunity: JsonObject


class Story:
    """One performance. It leaves a paused workflow and a finished run behind."""

    def __init__(self, api: Api, providers: Providers, stage: Stage) -> None:
        self._api = api
        self._providers = providers
        self._stage = stage
        self._shown_mails = 0
        self._sent_opportunity = False
        self._leave: Callable[[], None] | None = None

    def play(self) -> Ending:
        """From connection to summary. Raises `CliError` when the API refuses something or a run does not start."""
        self._connect()
        workflow = self._publish()
        try:
            return self._happen(workflow, fresh_events())
        finally:
            # Its mail server is gone in a moment: no later event may start it.
            self._api.post(f"/v1/workflows/{workflow['id']}/pause")

    def leave(self) -> None:
        """Leave the terminal as it was, even while the story is told in another thread. Safe to call again."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def _connect(self) -> None:
        config = {"host": LOOPBACK, "port": self._providers.mail_port, "security": "none"}
        found = [item for item in self._api.items("/v1/connections") if item["name"] == CONNECTION]
        if found:
            self._api.patch(f"/v1/connections/{found[0]['id']}", {"config": config})
        else:
            self._api.post("/v1/connections", {"kind": "smtp", "name": CONNECTION, "config": config})
        self._stage.say(f"[green]✓[/] connection [bold]{CONNECTION}[/] to a mail server that only catches")

    def _publish(self) -> JsonObject:
        definition = demo_definition(document(example("new-lead.yaml")), self._providers.enrich_url)
        applied = self._api.post("/v1/workflows/apply", {"definition": definition, "comment": "holdfast demo"})
        workflow: JsonObject = applied["workflow"]
        if workflow["status"] != "active":
            # The demo before this one put it aside.
            workflow = self._api.post(f"/v1/workflows/{workflow['id']}/activate")
        changed = ", ".join(f"{name} {definition['variables'][name]}" for name in ("pause", "patience"))
        self._stage.say(
            f"[green]✓[/] published examples/new-lead.yaml as [bold]{escape(NAME)}[/], "
            f"version {applied['version']['number']}, with shorter waits ({changed}) and the servers of this demo"
        )
        return workflow

    def _happen(self, workflow: JsonObject, events: Events) -> Ending:
        run_id = self._first_event(workflow, events)
        self._follow(run_id, events)
        run = self._api.get(f"/v1/runs/{run_id}")
        steps = list(self._api.items(f"/v1/runs/{run_id}/steps"))
        repeated = self._send(events.contact)
        ending = Ending(
            run=run,
            steps=steps,
            checks=checks(
                run=run,
                steps=steps,
                providers=self._providers,
                contact=events.contact["data"],
                opportunity=events.opportunity["data"],
                pause=PAUSE,
                repeated=repeated,
            ),
            links={
                "This run": f"{self._api.url}/v1/runs/{run_id}",
                "API docs": f"{self._api.url}/docs",
                "Temporal UI": run["temporal"]["url"] or "",
            },
        )
        self._stage.end(ending)
        return ending

    def _first_event(self, workflow: JsonObject, events: Events) -> str:
        data = events.contact["data"]
        started = self._send(events.contact)["started"]
        self._event(events.contact, f"{data['name']}, {data['email']}\n")
        for run_id in started:
            if self._api.get(f"/v1/runs/{run_id}")["workflow_id"] == workflow["id"]:
                return str(run_id)
        raise CliError(
            ExitCode.BROKEN, f"the event {events.contact['id']} started {len(started)} runs, none of {NAME!r}"
        )

    def _follow(self, run_id: str, events: Events) -> None:
        """Show the run until it ends; when it waits for the deal, the deal moves."""
        run: JsonObject = self._api.get(f"/v1/runs/{run_id}")
        view = self._stage.steps()
        self._leave = lambda: view.close(run)
        view.run(run)
        for message in follow(self._api, run_id):
            if message.event == "step":
                view.step(message.data)
                self._deal_moves(message.data, events)
            elif message.event == "run":
                run = message.data
                view.run(run)
            elif message.event == DONE:
                run = self._api.get(f"/v1/runs/{run_id}")
            self._show_mails()
        self.leave()

    def _deal_moves(self, step: JsonObject, events: Events) -> None:
        if self._sent_opportunity or step["step_id"] != WAIT_STEP or step["status"] != "waiting":
            return
        self._sent_opportunity = True
        self._send(events.opportunity)
        self._event(events.opportunity, events.opportunity["data"]["name"])

    def _event(self, event: JsonObject, about: str) -> None:
        self._stage.say(f"[green]✓[/] event [bold]{event['type']}[/]: {escape(about)}")

    def _show_mails(self) -> None:
        for mail in self._providers.mails[self._shown_mails :]:
            self._shown_mails += 1
            self._stage.mail(mail)

    def _send(self, event: JsonObject) -> JsonObject:
        answer: JsonObject = self._api.post("/v1/events", event)["items"][0]
        return answer


def example(name: str) -> Path:
    """A file of the examples. Raises `CliError` where they were not installed."""
    path = EXAMPLES / name
    if not path.exists():
        raise CliError(ExitCode.NOT_FOUND, f"{path} is missing: run the demo from a clone of the repository")
    return path


def demo_definition(definition: JsonObject, enrich_url: str) -> JsonObject:
    """The example under a name and with a connection of its own, so that nobody's own are touched; waits of seconds."""
    variables = {
        **definition["variables"],
        "enrich_url": enrich_url,
        "pause": f"{PAUSE.seconds}s",
        "patience": PATIENCE,
    }
    return {**_with_connection(definition), "name": NAME, "variables": variables}


def _with_connection(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: CONNECTION if key == "connection" else _with_connection(inner) for key, inner in value.items()}
    return [_with_connection(inner) for inner in value] if isinstance(value, list) else value


def fresh_events() -> Events:
    """The example events with new ids, about one new contact."""
    contact, opportunity = (
        document(example("events/contact-created.json")),
        document(example("events/opportunity-stage-updated.json")),
    )
    contact_id, opportunity_id = _crm_id(), _crm_id()
    return Events(
        contact=_about(contact, contact_id, {"id": contact_id}),
        opportunity=_about(opportunity, opportunity_id, {"id": opportunity_id, "contactId": contact_id}),
    )


def _about(event: JsonObject, subject: str, changes: JsonObject) -> JsonObject:
    fresh = {name: value for name, value in event.items() if name != "time"}
    return {**fresh, "id": f"demo-{secrets.token_hex(8)}", "subject": subject, "data": {**event["data"], **changes}}


def _crm_id() -> str:
    """Twenty letters and digits, as the CRM's ids are."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))
