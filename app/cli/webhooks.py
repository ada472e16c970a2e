"""`holdfast webhooks`: addresses at which workflows take requests of others, and what came in at them."""

from typing import Annotated

import typer

from app.cli.client import open_api
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import duration, moment, note, print_json, say, status, table, text
from app.json import JsonObject

webhooks_app = typer.Typer(no_args_is_help=True, help="Webhooks: addresses of workflows, and what was delivered there.")

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook.")]
Secret = Annotated[
    str | None, typer.Option(help="A secret that the sender has already. Default: a new one.", show_default=False)
]


@webhooks_app.command("create")
def create(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Id, slug or name.")],
    *,
    name: Annotated[str, typer.Option(help="To tell it apart.")] = "",
    trigger: Annotated[
        int | None, typer.Option(help="Place of the trigger, from 0. Default: the first webhook trigger.")
    ] = None,
    secret: Secret = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make an address for a workflow's webhook trigger. Its secret is shown now and never again."""
    with open_api(api_url, data_dir) as api:
        body = {"name": name, "trigger": trigger, "secret": secret}
        made = api.post(f"/v1/workflows/{workflow_by(api, workflow)['id']}/webhooks", body)
    _show_secret(made, json_output=json_output)


@webhooks_app.command("list")
def list_webhooks(
    *,
    workflow: Annotated[str | None, typer.Option(help="Only those of this workflow: id, slug or name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List webhooks with how often they were called."""
    with open_api(api_url, data_dir) as api:
        path = "/v1/webhooks" if workflow is None else f"/v1/workflows/{workflow_by(api, workflow)['id']}/webhooks"
        found = list(api.items(path, limit=limit))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no webhooks; `holdfast webhooks create WORKFLOW` makes one[/]")
    else:
        table(
            ["ID", "NAME", "STATUS", "SIGNATURE", "CALLS", "REFUSED", "LAST CALL"],
            [
                [
                    text(item["id"]),
                    text(item["name"]),
                    status(item["status"]),
                    text(item["signature"]),
                    text(item["total_calls"]),
                    text(item["refused_calls"]),
                    moment(item["last_called_at"]),
                ]
                for item in found
            ],
        )


@webhooks_app.command("show")
def show(webhook: WebhookId, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Show one webhook with its address."""
    with open_api(api_url, data_dir) as api:
        found = api.get(f"/v1/webhooks/{webhook}")
    if json_output:
        print_json(found)
        return
    _show(found)


@webhooks_app.command("rotate")
def rotate(
    webhook: WebhookId,
    *,
    secret: Secret = None,
    keep_old_for: Annotated[str, typer.Option(help="How long the old secret is still good.")] = "24h",
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Give it a new secret, shown now and never again; the old one stays good for a while."""
    with open_api(api_url, data_dir) as api:
        body = {"secret": secret, "keep_old_for": keep_old_for}
        made = api.post(f"/v1/webhooks/{webhook}/rotate", body)
    _show_secret(made, json_output=json_output)


@webhooks_app.command("delete")
def delete(webhook: WebhookId, api_url: ApiUrl = None, data_dir: DataDir = None) -> None:
    """Delete it with the log of its deliveries."""
    with open_api(api_url, data_dir) as api:
        api.delete(f"/v1/webhooks/{webhook}")
    say(f"webhook {text(webhook)} is deleted")


@webhooks_app.command("deliveries")
def deliveries(
    webhook: WebhookId,
    *,
    status_: Annotated[
        str | None, typer.Option("--status", help="accepted, duplicate, refused or verification.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List what came in, newest first, with what it started or why it was refused."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items(f"/v1/webhooks/{webhook}/deliveries", limit=limit, status=status_))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]nothing came in[/]")
    else:
        table(
            ["ID", "RECEIVED", "FROM", "STATUS", "ANSWER", "TOOK", "WHAT"],
            [_row(item) for item in found],
        )


@webhooks_app.command("replay")
def replay(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery.")],
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Take a delivery once more: it starts a run of its own."""
    with open_api(api_url, data_dir) as api:
        taken = api.post(f"/v1/deliveries/{delivery}/replay")
    if json_output:
        print_json(taken)
    else:
        run = "" if taken["run_id"] is None else f", run {taken['run_id']}"
        say(f"delivery {text(taken['delivery_id'])}{run}")


def _row(item: JsonObject) -> list[str]:
    what = text(item["reason"]) or ", ".join(f"run {run}" for run in item["run_ids"])
    return [
        text(item["id"]),
        moment(item["received_at"]),
        text(item["remote_address"]),
        status(item["status"]),
        text(item["answer_status"]),
        duration(item["duration_ms"]),
        what,
    ]


def _show(found: JsonObject) -> None:
    shown = ("id", "name", "address", "status", "signature", "total_calls", "refused_calls")
    table(["", ""], [[name.replace("_", " "), text(found[name])] for name in shown])
    if found["address"] is None:
        note("[dim]the address is shown to who may change webhooks, the role editor, where the key ring can read it[/]")


def _show_secret(made: JsonObject, *, json_output: bool) -> None:
    if json_output:
        print_json(made)
        return
    say(f"webhook  {text(made['id'])}\naddress  {text(made['address'])}\nsecret   {text(made['secret'])}")
    note("[dim]the secret is not shown again[/]")
