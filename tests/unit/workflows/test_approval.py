"""What `notify` is given of an approval, and whom it can ask."""

import pytest

from app.json import Json
from workflows.failures import StepFailed
from workflows.steps.approval import MAX_APPROVERS, _approvers, _seen

SHOWN = {"id": "1", "title": "Ship it?", "message": "", "approvers": []}


def test_one_link_is_also_the_link() -> None:
    one = {"approver": None, "link": "mark"}
    seen = _seen({"shown": SHOWN, "until": None, "links": [one]})
    assert (seen["link"], seen["links"], seen["title"]) == ("mark", [one], "Ship it?")


def test_nobody_is_sent_the_link_of_another_by_mistake() -> None:
    two = [{"approver": name, "link": name} for name in "ab"]
    assert "link" not in _seen({"shown": SHOWN, "until": None, "links": two})


def test_without_a_key_there_is_no_link_rather_than_an_empty_one() -> None:
    assert {"link", "links"} & set(_seen({"shown": SHOWN, "until": None, "links": []})) == set()


@pytest.mark.parametrize(
    ("value", "asked"), [(None, []), ("", []), ([], []), ("ann", ["ann"]), (["ann ", "bob", "ann"], ["ann", "bob"])]
)
def test_approvers_are_one_or_several_each_once(value: Json, asked: list[str]) -> None:
    assert _approvers(value) == asked


@pytest.mark.parametrize(
    "value", [7, {"a": 1}, ["a", None], [" "], ["x" * 255], [f"p{n}" for n in range(MAX_APPROVERS + 1)]]
)
def test_who_cannot_be_asked_is_refused_by_the_field(value: Json) -> None:
    with pytest.raises(StepFailed, match=r"^approvers:"):
        _approvers(value)
