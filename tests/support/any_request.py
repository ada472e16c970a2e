"""Requests at random, drawn by schemathesis from the OpenAPI document the API serves, and what holds for the answers.

No answer is a 5xx; each is one the document knows, with its content type and shape; what does not fit the document is
refused; and without a key nothing is answered. Blocking: it belongs into a thread beside the server.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from app.json import JsonObject
from app.security.permissions import Role, permissions_of

OF_METHODS = ("unsupported_method", "allow_header_conformance")
"""Checks that take an address for that of one operation: `/runs/control` is that of `/runs/{run_id}` as well."""
ENDLESS = ("runs_stream",)
"""Operations whose answers last."""
OF_THE_KEY = ("api_keys_change", "api_keys_revoke", "api_keys_rotate")
"""Operations that may end or narrow the very key the requests are sent with: all after them would be refused alike."""
OF_THE_PLATFORM_KEY = ("platform_keys_revoke",)
"""The same, of the platform's administrator."""


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
    """What came of it: the number of requests, each harm as a few lines with the request that did it, which operations
    answered otherwise than with 401, how often each status was answered, and how often 401 with the key sent."""

    requests: int
    operations: int
    harms: list[str]
    let_in: set[str]
    statuses: Counter[int]
    locked_out: int


def operations_of(document: JsonObject, role: Role) -> list[str]:
    """Those that a key of this role may call, without those that could end it."""
    may = permissions_of(role)
    every = [operation for methods in document["paths"].values() for operation in methods.values()]
    taken = [str(operation["operationId"]) for operation in every if operation.get("x-permission") in may]
    return [operation for operation in taken if operation not in (*OF_THE_KEY, *OF_THE_PLATFORM_KEY)]


def try_api(document: JsonObject, url: str, key: str | None, plan: Plan, only: Sequence[str] = ()) -> Tried:
    """Send what the plan says to the API at `url`, with or without a key; to `only` these operations, if any are named,
    even to those that may end the key."""
    schema = schemathesis.openapi.from_dict(document, config=_config(url, key, plan))
    if only:
        schema = schema.include(operation_id=list(only))
    schema = schema.exclude(operation_id=[*ENDLESS, *(OF_THE_KEY if key and not only else ())])
    statuses, locked_out = Counter[int](), 0
    requests, seen, let_in, harms = 0, set[str](), set[str](), dict[str, str]()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            seen.add(event.recorder.label)
            asked = event.recorder.interactions.values()
            answers = [each.response.status_code for each in asked if each.response is not None]
            statuses.update(answers)
            locked_out += sum(
                each.response is not None and each.response.status_code == 401 and _signed(each.request.headers, key)
                for each in asked
            )
            if any(status != 401 for status in answers):
                let_in.add(event.recorder.label)
            harms.update(_harms(event, list(document["paths"])))
        elif isinstance(event, events.NonFatalError):
            # Not the API's: Python 3.11 miscounts now and then while the tool reads its own code.
            if "AST constructor recursion depth" not in str(event.info):
                harms.setdefault(str(event.info), f"{event.label}: {event.info}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return Tried(requests, len(seen), list(harms.values()), let_in, statuses, locked_out)


def _signed(headers: Mapping[str, Sequence[str]], key: str | None) -> bool:
    sent = next((values for name, values in headers.items() if name.lower() == "authorization"), ())
    return key is not None and f"Bearer {key}" in sent


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
