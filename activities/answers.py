"""What an activity may tell Temporal: outcomes and inputs within its limits. The database keeps all of it.

Pure functions; what is done with a value that is too large is the runner's and the walk's.
"""

from dataclasses import replace

from app.json import JsonObject, json_size
from app.temporal.messages import ActionOutcome
from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_PAYLOAD

LARGEST_INPUTS = 8 * 1024
"""Bytes of inputs that travel with an outcome or a failure; they are there for people, the whole is in the records."""
_SHOWN = 200


def too_large(outcome: ActionOutcome, largest: int | None) -> str | None:
    """Why the output cannot be handed on to later steps, if it cannot."""
    size, most = json_size(outcome.output), min(largest or LARGEST_PAYLOAD, LARGEST_PAYLOAD)
    return None if size <= most else f"the answer has {size:,} bytes, more than the {most:,} a step may hand on"


def answer(outcome: ActionOutcome, *, local: bool) -> ActionOutcome:
    """The outcome as it is answered. A local activity leaves a large one where it is kept, to be fetched from there."""
    outcome = replace(outcome, inputs=brief(outcome.inputs))
    if local and json_size([outcome.output, outcome.inputs]) > LARGEST_LOCAL_ANSWER:
        return replace(outcome, output=None, inputs={}, kept=True)
    return outcome


def brief(inputs: JsonObject) -> JsonObject:
    """Inputs for people to read: what is long is replaced by its beginning or its size."""
    if json_size(inputs) <= LARGEST_INPUTS:
        return inputs
    return {name: _shortened(value) for name, value in list(inputs.items())[:20]}


def _shortened(value: object) -> object:
    size = json_size(value)
    if size <= _SHOWN:
        return value
    if isinstance(value, str):
        return f"{value[:_SHOWN]}… ({len(value):,} characters)"
    return f"({size:,} bytes)"
