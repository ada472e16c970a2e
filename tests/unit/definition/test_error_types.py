"""The error types: which of them another attempt may get past, and which of them a definition may name."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.catalog import errors
from app.definition.error_types import RUN_ERRORS, STEP_ERRORS, ErrorType, StepError

RETRYABLE = {
    *("provider_unavailable", "rate_limited", "host_not_found", "connection_failed", "timeout", "worker_lost"),
    *("internal", "wait_timed_out", "child_failed"),
}


def test_what_may_end_better_later_is_retryable_and_nothing_else() -> None:
    assert {each.value for each in ErrorType if each.retryable} == RETRYABLE
    assert not any(each.retryable for each in RUN_ERRORS)


def test_a_type_is_found_by_its_name_and_is_that_text() -> None:
    assert ErrorType("timeout") is ErrorType.TIMEOUT
    assert f"{ErrorType.TIMEOUT}" == "timeout" == ErrorType.TIMEOUT
    assert errors.ErrorType is ErrorType
    with pytest.raises(ValueError, match="nothing"):
        ErrorType("nothing")


@pytest.mark.parametrize("each", ErrorType)
def test_a_type_says_in_one_sentence_what_happened_and_what_to_do(each: ErrorType) -> None:
    for sentence in (each.meaning, each.way_out):
        assert sentence.endswith(".")
        assert "|" not in sentence
    assert ". " not in each.meaning


@pytest.mark.parametrize("each", ErrorType)
def test_a_definition_names_the_types_a_step_can_fail_with(each: ErrorType) -> None:
    named = TypeAdapter(StepError)
    if each in STEP_ERRORS:
        assert type(named.validate_python(each.value, strict=True)) is str
    else:
        with pytest.raises(ValidationError, match="ends the whole run"):
            named.validate_python(each.value)
