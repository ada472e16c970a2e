"""Broken and hostile documents: problems in words at places that are there, never an exception."""

import random
import time
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog.registry import LOOKUP
from app.definition import dialects
from app.definition.check import check
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.json import Json, JsonObject
from tests.support.dialects import DOCUMENTS

ODD: list[Json] = [
    None, True, 0, -1, 1.5, 10**400, "", "x", "{{", "{{ }}", "{{a.b", "}}", "{{a|b(c=1)}}", "9-9", "fixed", "{}", [],
    [None], [[]], {}, {"": 1}, {"steps": [{}]}, {"conditions": [{}]}, {"true": "a"}, "a.b.c", "😀", "' \" ] [",
]  # fmt: skip
KEYS = [
    "steps", "actions", "position", "step_type", "action_type", "action_config", "condition_config", "loop_config",
    "parallel_config", "delay_config", "input_mapping", "on_error", "error_branch_step_id", "stepId", "stepType",
    "config", "nextStepId", "nextStepIds", "execution_order", "conditions", "event_trigger", "trigger_type",
    "trigger_config", "variables", "output_handling", "previous_action_id", "next_action_id", "id", "name", "then",
]  # fmt: skip


def told(document: Json) -> None:
    """Read it and judge what comes out; whatever is wrong is told as problems."""
    reading = dialects.read(document)
    if reading is None:
        return
    assert all(problem.message for problem in reading.problems)
    if reading.errors:
        return
    try:
        problems = check(parse(reading.document), actions=LOOKUP)
    except DefinitionInvalid as error:
        problems = error.problems
    assert all(problem.message for problem in reading.told(problems))


def mutated(document: JsonObject, rng: random.Random) -> JsonObject:
    """The document with some of its values replaced, renamed, doubled or gone."""
    made = deepcopy(document)
    for _ in range(rng.randint(1, 4)):
        holder: Json = made
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = rng.choice(keys)
            inner = holder[key]
            if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
                holder = inner
                continue
            change = rng.random()
            if change < 0.6:
                holder[key] = deepcopy(rng.choice(ODD))
            elif change < 0.8:
                del holder[key]
            elif isinstance(holder, list):
                holder.append(inner)
            else:
                holder[rng.choice(KEYS)] = inner
            break
    return made


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_broken_document_has_problems_and_raises_nothing(name: str) -> None:
    rng = random.Random(7)
    for _ in range(200):
        told(mutated(DOCUMENTS[name], rng))


values = st.recursive(
    st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
def test_any_document_of_known_keys_is_read_or_explained(document: JsonObject) -> None:
    told(document)
    told({"step_type": "action", **document})
    dialects.read_step(document, {"a": "b"})


@pytest.mark.parametrize(
    "document",
    [
        {"steps": [{"step_type": "condition", "condition_config": {"false_step_id": "x"}}] * 450},
        {
            "steps": [
                {"id": str(n), "step_type": "stop", "on_error": "branch", "error_branch_step_id": str(999 - n)}
                for n in range(500)
            ]
        },
        {
            "steps": [
                {
                    "stepId": str(n),
                    "stepType": "utility",
                    "config": {"utilityType": "condition", "field": "{{a}}", "operator": "is_set"},
                    "nextStepId": {"true": str(n + 1), "false": str(n + 2)},
                }
                for n in range(450)
            ]
        },
        {
            "steps": [
                {
                    "stepId": str(n),
                    "stepType": "utility",
                    "config": {"utilityType": "sentiment", "inputText": "{{sentiment}} {{x}} " * 50},
                    "nextStepId": str(n + 1) if n < 449 else None,
                }
                for n in range(450)
            ]
        },
        {"actions": [{"id": str(n), "action_type": "x", "next_action_id": str(n + 1)} for n in range(499)]},
    ],
    ids=["conditions", "jumps", "ways", "names", "links"],
)
def test_large_documents_take_no_noticeable_time(document: JsonObject) -> None:
    began = time.process_time()
    assert dialects.read(document) is not None
    assert time.process_time() - began < 5


@pytest.mark.parametrize("odd", ["9" * 5_000, "a" * 5_000, "٣", 'a"b', "a'b]", "..", ".", " ", "\n", "a\\"])
def test_odd_names_are_read_or_explained(odd: str) -> None:
    text = f"{{{{trigger.{odd}}}}} {{{{steps.{odd}.x}}}}"
    step = {"id": odd, "output_key": odd, "step_type": "set_variable", "action_config": {"key": odd, "value": text}}
    told({"trigger_type": "manual", "steps": [step]})
    told({"actions": [{"id": odd, "action_type": odd, "action_config": {odd: text}}]})
    told({"steps": [{"stepId": odd, "stepType": "utility", "config": {"utilityType": odd, odd: text}}]})
    mapping = {odd: {"source": "option_set", "field_id": odd}, "v": {"source": "static", "value": odd}}
    action = {"action_name": odd, "action_type": "api_call", "config": {"url": text}, "input_mapping": mapping}
    conditions = [{"field_id": odd, "operator": "equals", "value": odd}]
    told({"event_trigger": "wizard.onStart", "event_name": odd, "conditions": conditions, "actions": [action]})
