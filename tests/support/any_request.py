"""Requests at random, drawn by schemathesis from the OpenAPI document the API serves, and what holds for the answers.

No answer is a 5xx; each is one the document knows, with its content type and shape; what does not fit the document is
refused; and without a key nothing is answered. Blocking: it belongs into a thread beside the server.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from app.json import JsonObject

OF_METHODS = ("unsupported_method", "allow_header_conformance")
"""Checks that take an address for that of one operation: `/runs/control` is that of `/runs/{run_id}` as well."""
ENDLESS = ("runs_stream",)
"""Operations whose answers last."""


@dataclass(frozen=True)
class Plan:
    """How many requests are drawn for each operation, from which seed, in which ways, and how long at most."""

    examples: int
    seed: int
    phases: Sequence[str] = ("examples", "coverage", "fuzzing", "stateful")
    modes: str = "all"
    seconds: int | None = None


@dataclass(frozen=True)
class Tried:
    """What came of it: the number of requests, each harm as a few lines with the request that did it, and which
    operations answered otherwise than with 401."""

    requests: int
    operations: int
    harms: list[str]
    let_in: set[str]


def try_api(document: JsonObject, url: str, key: str | None, plan: Plan) -> Tried:
    """Send what the plan says to the API at `url`, with or without a key."""
    schema = schemathesis.openapi.from_dict(document, config=_config(url, key, plan))
    schema = schema.exclude(operation_id=list(ENDLESS))
    requests, seen, let_in, harms = 0, set[str](), set[str](), dict[str, str]()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            seen.add(event.recorder.label)
            answers = (each.response for each in event.recorder.interactions.values())
            if any(answer is not None and answer.status_code != 401 for answer in answers):
                let_in.add(event.recorder.label)
            harms.update(_harms(event, list(document["paths"])))
        elif isinstance(event, events.NonFatalError):
            harms.setdefault(str(event.info), f"{event.label}: {event.info}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return Tried(requests, len(seen), list(harms.values()), let_in)


def _harms(event: events.ScenarioFinished, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for case_id, checks in event.recorder.checks.items():
        operation = event.recorder.cases[case_id].value.operation
        label = operation.label
        for check in checks:
            if check.name in OF_METHODS and _fits_others(operation.path, paths):
                continue
            if check.status is Status.FAILURE and (info := check.failure_info) is not None:
                text = f"{label}: {check.name}: {info.failure.title}: {info.failure.message}\n  {info.code_sample}"
                answer = event.recorder.interactions.get(case_id)
                if answer is not None and answer.response is not None:
                    text += f"\n  {answer.response.status_code} {answer.response.content[:400]!r}"
                yield f"{label} {check.name} {info.failure.title}", text


def _fits_others(path: str, paths: Sequence[str]) -> bool:
    # The id of an event may hold slashes.
    patterns = (re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{event_id\}$", ".+", other)) for other in paths if other != path)
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def _config(url: str, key: str | None, plan: Plan) -> SchemathesisConfig:
    phases: dict[str, Any] = {
        phase: {"enabled": phase in plan.phases} for phase in ("examples", "coverage", "fuzzing", "stateful")
    }
    config: dict[str, Any] = {
        "base-url": url,
        "seed": plan.seed,
        "request-timeout": 30,
        "continue-on-failure": True,
        "generation": {"max-examples": plan.examples, "deterministic": True, "mode": plan.modes, "no-shrink": True},
        "phases": phases,
        # A definition, a cursor or a filter may have the shape the document gives and still make no sense (422).
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", 401, 403, 404, 409, 412, 415, 422]}
        },
    }
    if key is not None:
        config["headers"] = {"Authorization": f"Bearer {key}"}
    if plan.seconds is not None:
        config["max-time"] = plan.seconds
    return SchemathesisConfig.from_dict(config)
