"""What does not fit a model, in words for people."""

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from app.json import Json
from app.services.errors import Invalid
from app.services.validation import validated


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: Literal["s", "m"] = "s"

    @model_validator(mode="after")
    def _has_a_name(self) -> "Order":
        if self.name == "nobody":
            raise ValueError("give another name")
        return self


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"name": "a", "siez": "s"}, ("siez", "unknown key 'siez'", "did you mean 'size'?")),
        ({"name": "a", "xyz": 1}, ("xyz", "unknown key 'xyz'", "known keys: name, size")),
        ({}, ("name", "'name' is required", "")),
        ([1], ("", "expected an object", "")),
        (None, ("", "expected an object", "")),
        ({"name": "nobody"}, ("", "give another name", "")),
    ],
)
def test_a_problem_says_where_and_what_in_plain_words(data: Json, problem: tuple[str, str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        validated(Order, data, code="invalid_order", subject="The order")

    (found,) = refused.value.problems
    assert (found.path, found.message, found.hint) == problem
