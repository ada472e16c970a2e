"""What `holdfast demo` promises, each held against what really happened. Nothing is shown or called here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app.cli.demo_providers import COMPANY, Providers
from app.cli.demo_view import Check
from app.json import Json, JsonObject

STEPS = ("reachable", "company", "welcome", "let_it_settle", "stage_changed", "what_happened", "next_step")
"""The way of a contact we may write to, whose deal moves in time."""


def checks(
    *,
    run: JsonObject,
    steps: Sequence[JsonObject],
    providers: Providers,
    contact: JsonObject,
    opportunity: JsonObject,
    pause: timedelta,
    repeated: JsonObject,
) -> list[Check]:
    """All promises. `contact` and `opportunity` are the events' data, `repeated` the answer to the same event again."""
    by_id = {step["step_id"]: step for step in steps}
    return [
        _same("the run completed", run["status"], "completed", run["error"]),
        _way(by_id),
        _same(
            "the company was looked up once, for this contact",
            [it.email for it in providers.lookups],
            [contact["email"]],
        ),
        _keys(run, providers),
        _same("two messages were caught, both to the contact", _recipients(providers), [(contact["email"],)] * 2),
        _same("the welcome names the company that was looked up", _names_company(providers), True),
        _delay(by_id, pause),
        _same("the wait was ended by the deal's event, not by its time-out", _woken_by(by_id), opportunity["id"]),
        _same("the run says that the deal moved", (run["output"] or {}).get("deal_moved"), True),
        _same("Temporal carried it", bool(run["temporal"]["run_id"]), True),
        _same("the first event, sent again, did nothing again", repeated["duplicate"], True),
    ]


def _same(promise: str, found: Json, wanted: Json, detail: Json = None) -> Check:
    said = f"found {found!r} instead of {wanted!r}" + (f" ({detail})" if detail else "")
    return Check(promise, found == wanted, said)


def _way(by_id: Mapping[str, JsonObject]) -> Check:
    promise = "every step on the way completed, and no other ran"
    found = {name: step["status"] for name, step in by_id.items()}
    return _same(promise, found, dict.fromkeys(STEPS, "completed"))


def _keys(run: JsonObject, providers: Providers) -> Check:
    keys = [lookup.idempotency_key for lookup in providers.lookups]
    return _same("the HTTP call carried its Idempotency-Key", keys, [f"{run['id']}/company"])


def _recipients(providers: Providers) -> list[tuple[str, ...]]:
    return [mail.recipients for mail in providers.mails]


def _names_company(providers: Providers) -> bool:
    return bool(providers.mails) and str(COMPANY["name"]) in providers.mails[0].text


def _delay(by_id: Mapping[str, JsonObject], pause: timedelta) -> Check:
    step = by_id.get("let_it_settle")
    if step is None or not step["finished_at"]:
        return Check("the delay lasted as long as it should", False, "it did not end")
    lasted = datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])
    return Check("the delay lasted as long as it should", lasted >= pause, f"{lasted} instead of {pause}")


def _woken_by(by_id: Mapping[str, JsonObject]) -> Json:
    output = by_id.get("stage_changed", {}).get("output")
    return output.get("id") if isinstance(output, dict) else None
