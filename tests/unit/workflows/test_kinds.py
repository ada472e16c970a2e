"""The walk knows every kind of the language, and nothing else."""

from typing import get_args

from app.definition.steps import Step
from workflows.interpreter import KINDS


def test_the_table_of_kinds_is_the_languages() -> None:
    union = get_args(Step)[0]
    models = [get_args(model.model_fields["type"].annotation)[0] for model in get_args(union)]
    assert sorted(KINDS) == sorted(models)
