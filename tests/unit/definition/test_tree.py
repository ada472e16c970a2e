"""Walking a definition's tree, and naming places."""

from app.definition.parse import parse
from app.definition.tree import find, nesting, walk, walk_paths
from app.json import JsonObject

DEFINITION: JsonObject = {
    "steps": [
        {
            "id": "choose",
            "type": "condition",
            "branches": [
                {
                    "when": True,
                    "steps": [{"id": "each", "type": "loop", "items": [], "steps": [{"id": "in", "type": "stop"}]}],
                },
                {"when": True, "steps": [{"id": "two", "type": "stop"}]},
            ],
            "else": [{"id": "other", "type": "stop"}],
            "on_error": "branch",
            "error_steps": [{"id": "sorry", "type": "stop"}],
        },
        {
            "id": "both",
            "type": "parallel",
            "branches": [{"name": "a", "steps": [{"id": "left", "type": "stop"}]}],
            "compensate": [{"id": "undo", "type": "stop"}],
        },
        {"id": "poll", "type": "repeat", "until": True, "steps": [{"id": "look", "type": "stop"}]},
    ],
    "finally": [{"id": "tidy", "type": "stop"}],
}


def test_the_walk_visits_every_step_in_order_with_its_place() -> None:
    assert [(path, step.id) for path, step in walk(parse(DEFINITION))] == [
        ("steps[0]", "choose"),
        ("steps[0].branches[0].steps[0]", "each"),
        ("steps[0].branches[0].steps[0].steps[0]", "in"),
        ("steps[0].branches[1].steps[0]", "two"),
        ("steps[0].else[0]", "other"),
        ("steps[0].error_steps[0]", "sorry"),
        ("steps[1]", "both"),
        ("steps[1].branches[0].steps[0]", "left"),
        ("steps[1].compensate[0]", "undo"),
        ("steps[2]", "poll"),
        ("steps[2].steps[0]", "look"),
        ("finally[0]", "tidy"),
    ]


def test_a_step_is_found_by_its_id() -> None:
    found = find(parse(DEFINITION), "left")
    assert found is not None
    assert found[0] == "steps[1].branches[0].steps[0]"
    assert find(parse(DEFINITION), "nowhere") is None


def test_nesting_counts_lists_of_steps() -> None:
    depths = {step.id: nesting(path) for path, step in walk_paths(parse(DEFINITION))}
    assert depths == {
        **{"choose": 1, "both": 1, "tidy": 1, "each": 2, "two": 2, "other": 2, "sorry": 2, "left": 2},
        **{"undo": 2, "poll": 1, "look": 2},
        "in": 3,
    }
