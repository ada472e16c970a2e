"""Steps of a draft are edited one by one, wherever they stand, under the same rules as the whole draft."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from app.services import drafts, workflows, workspaces
from app.services.errors import Conflict, Invalid, NotFound
from tests.integration.services.building import a_definition


def step(id, **fields):
    return {"id": id, "type": "transform", "mapping": {"x": 1}, **fields}


DEFINITION = {
    "steps": [
        step("first"),
        {
            "id": "choose",
            "type": "condition",
            "branches": [
                {"when": "{{ true }}", "name": "yes", "steps": [step("a"), step("b")]},
                {"when": "{{ false }}", "steps": [step("c")]},
            ],
        },
        {"id": "each", "type": "loop", "items": [1], "steps": [step("body")], "on_error": "branch"},
        {"id": "both", "type": "parallel", "branches": [{"name": "left", "steps": [step("d")]}]},
    ],
    "finally": [step("last")],
}


class _Draft:
    """The use cases on one workflow's draft, in short."""

    def __init__(self, platform, workspace, workflow):
        self.platform, self.workspace, self.workflow_id = platform, workspace.id, workflow.id

    async def do(self, use_case, *args, **kwargs):
        return await getattr(drafts, use_case)(self.platform, self.workspace, self.workflow_id, *args, **kwargs)

    async def paths(self):
        return {each["path"]: each["id"] for each in await self.do("list_steps")}

    async def top(self):
        return [each["id"] for each in await self.do("list_steps") if each["parent"] is None and each["branch"] is None]

    async def document(self):
        return (await workflows.get(self.platform, self.workspace, self.workflow_id)).draft


@pytest.fixture
async def draft(platform, workspace):
    workflow = await workflows.create(platform, workspace.id, name="Greet", definition=DEFINITION)
    return _Draft(platform, workspace, workflow)


class TestReading:
    async def test_every_step_is_listed_with_where_it_stands(self, draft):
        listed = await draft.do("list_steps")
        assert [(s["id"], s["parent"], s["branch"], s["position"]) for s in listed] == [
            ("first", None, None, 0),
            ("choose", None, None, 1),
            ("a", "choose", 0, 0),
            ("b", "choose", 0, 1),
            ("c", "choose", 1, 0),
            ("each", None, None, 2),
            ("body", "each", "steps", 0),
            ("both", None, None, 3),
            ("d", "both", 0, 0),
            ("last", None, "finally", 0),
        ]
        assert listed[3]["path"] == "steps[1].branches[0].steps[1]"

    async def test_one_is_read_as_it_is_written(self, draft):
        found = await draft.do("get_step", "b")
        assert {key: found[key] for key in step("b")} == step("b")
        with pytest.raises(NotFound, match="no step 'z'"):
            await draft.do("get_step", "z")


class TestAdding:
    @pytest.mark.parametrize(
        ("where", "path"),
        [
            ({}, "steps[4]"),
            ({"position": 0}, "steps[0]"),
            ({"position": 2}, "steps[2]"),
            ({"position": 99}, "steps[4]"),
            ({"branch": "finally"}, "finally[1]"),
            ({"parent": "choose", "branch": 0}, "steps[1].branches[0].steps[2]"),
            ({"parent": "choose", "branch": "1", "position": 0}, "steps[1].branches[1].steps[0]"),
            ({"parent": "choose", "branch": "yes", "position": 1}, "steps[1].branches[0].steps[1]"),
            ({"parent": "choose", "branch": "else"}, "steps[1].else[0]"),
            ({"parent": "each"}, "steps[2].steps[1]"),
            ({"parent": "each", "branch": "steps", "position": 0}, "steps[2].steps[0]"),
            ({"parent": "each", "branch": "error_steps"}, "steps[2].error_steps[0]"),
            ({"parent": "each", "branch": "compensate"}, "steps[2].compensate[0]"),
            ({"parent": "a", "branch": "compensate"}, "steps[1].branches[0].steps[0].compensate[0]"),
            ({"parent": "both"}, "steps[3].branches[0].steps[1]"),
            ({"parent": "both", "branch": "left", "position": 0}, "steps[3].branches[0].steps[0]"),
        ],
    )
    async def test_a_step_goes_where_it_is_wanted(self, draft, where, path):
        added = await draft.do("add_step", step("new"), **where)
        assert (added["id"], added["path"]) == ("new", path)
        paths = await draft.paths()
        assert paths[path] == "new"
        assert len(paths) == 11

    @pytest.mark.parametrize(
        ("where", "hint"),
        [
            ({"parent": "choose"}, "yes, 0, 1, else"),
            ({"parent": "choose", "branch": 7}, "yes, 0, 1, else"),
            ({"parent": "choose", "branch": "no"}, "no list 'no'"),
            ({"parent": "each", "branch": "else"}, "steps, error_steps, compensate"),
            ({"parent": "first"}, "one of: error_steps, compensate"),
            ({"branch": "else"}, "steps, finally"),
        ],
    )
    async def test_an_unclear_place_is_refused_with_those_there_are(self, draft, where, hint):
        with pytest.raises(Invalid, match=hint) as caught:
            await draft.do("add_step", step("new"), **where)
        assert caught.value.code == "invalid_branch"

    async def test_a_repeat_takes_steps_and_what_undoes_it(self, draft):
        repeat = {"id": "poll", "type": "repeat", "until": "{{ true }}", "steps": [step("look")]}
        await draft.do("add_step", repeat)
        await draft.do("add_step", step("again"), parent="poll")
        undo = await draft.do("add_step", step("undo"), parent="poll", branch="compensate")
        assert (undo["parent"], undo["branch"], undo["position"]) == ("poll", "compensate", 0)
        listed = (await draft.paths()).items()
        assert [(path, id) for path, id in listed if path.startswith("steps[4]")] == [
            ("steps[4]", "poll"),
            ("steps[4].steps[0]", "look"),
            ("steps[4].steps[1]", "again"),
            ("steps[4].compensate[0]", "undo"),
        ]

    async def test_an_unknown_parent_is_not_found(self, draft):
        with pytest.raises(NotFound):
            await draft.do("add_step", step("new"), parent="z")

    async def test_a_step_without_id_gets_one_from_what_it_does(self, draft):
        action = {"type": "action", "action": "email.send", "inputs": {}}
        ids = [(await draft.do("add_step", {**action}))["id"] for _ in range(3)]
        assert ids == ["send", "send_2", "send_3"]
        assert (await draft.do("add_step", {"type": "wait_for_event", "event": "a.b"}))["id"] == "wait_for_event"

    async def test_an_id_that_is_taken_is_refused_at_any_depth(self, draft):
        loop = {"id": "new", "type": "loop", "items": [], "steps": [step("b")]}
        twice = {"id": "new", "type": "loop", "items": [], "steps": [step("x"), step("x")]}
        for attempt in (step("first"), loop, twice):
            with pytest.raises(Conflict) as caught:
                await draft.do("add_step", attempt)
            assert caught.value.code == "step_exists"

    @pytest.mark.parametrize(
        ("wrong", "path"),
        [
            ({"id": "x", "type": "transform"}, "mapping"),
            ({"id": "x", "type": "transfrom", "mapping": {}}, "type"),
            ({"id": "X", "type": "transform", "mapping": {}}, "id"),
            ({"id": None, "type": "transform", "mapping": {}}, "id"),
            ({"id": "x", "type": "transform", "mapping": {}, "maping": {}}, "maping"),
        ],
    )
    async def test_a_step_of_the_wrong_shape_is_refused_with_what_is_wrong(self, draft, wrong, path):
        with pytest.raises(Invalid) as caught:
            await draft.do("add_step", wrong)
        assert [problem.path for problem in caught.value.problems] == [path]
        assert await draft.document() == DEFINITION

    async def test_the_workspaces_limit_counts_every_depth(self, draft, platform, workspace):
        await workspaces.update_settings(platform, workspace.id, {"max_steps": 11})
        with pytest.raises(Conflict, match="has 10 steps and would have 12; the workspace allows 11") as caught:
            await draft.do("add_step", {"id": "x", "type": "loop", "items": [], "steps": [step("y")]})
        assert caught.value.code == "too_many_steps"
        await draft.do("add_step", step("x"))
        with pytest.raises(Conflict):
            await draft.do("add_step", step("y"))

    async def test_the_limit_is_fifty_unless_the_workspace_says_otherwise(self, platform, workspace):
        workflow = await workflows.create(platform, workspace.id, name="Long")
        definition = {"steps": [step(f"s{number}") for number in range(49)]}
        await workflows.update(platform, workspace.id, workflow.id, {"definition": definition})
        await drafts.add_step(platform, workspace.id, workflow.id, step("s49"))
        with pytest.raises(Conflict, match="allows 50"):
            await drafts.add_step(platform, workspace.id, workflow.id, step("s50"))

    async def test_ten_added_at_once_are_all_there(self, draft):
        await asyncio.gather(*(draft.do("add_step", step(f"n{number}")) for number in range(10)))
        assert len(await draft.paths()) == 20


class TestReplacingAndDeleting:
    async def test_another_step_takes_the_place_and_the_id(self, draft):
        replaced = await draft.do("replace_step", "b", {"type": "stop", "reason": "enough"})
        assert (replaced["id"], replaced["type"], replaced["path"]) == ("b", "stop", "steps[1].branches[0].steps[1]")

    async def test_the_id_does_not_change(self, draft):
        with pytest.raises(Invalid) as caught:
            await draft.do("replace_step", "b", step("z"))
        assert [problem.path for problem in caught.value.problems] == ["id"]

    async def test_steps_inside_the_old_one_make_room_for_those_in_the_new(self, draft, platform, workspace):
        await workspaces.update_settings(platform, workspace.id, {"max_steps": 10})
        loop = {"type": "loop", "items": [], "steps": [step("a"), step("b"), step("new")]}
        await draft.do("replace_step", "choose", loop)
        assert "c" not in (await draft.paths()).values()
        with pytest.raises(Conflict):
            await draft.do("replace_step", "choose", {**loop, "steps": [step("first")]})
        with pytest.raises(Conflict):
            await draft.do("replace_step", "choose", {**loop, "steps": [step(f"n{number}") for number in range(4)]})

    async def test_a_deleted_step_takes_what_is_inside_it(self, draft):
        await draft.do("delete_step", "choose")
        assert list((await draft.paths()).values()) == ["first", "each", "body", "both", "d", "last"]

    async def test_what_is_not_there_is_not_found(self, draft):
        for attempt in (draft.do("delete_step", "z"), draft.do("replace_step", "z", step("z"))):
            with pytest.raises(NotFound):
                await attempt


class TestReordering:
    async def test_siblings_take_the_order_given(self, draft):
        await draft.do("reorder", order=["both", "each", "choose", "first"])
        assert await draft.top() == ["both", "each", "choose", "first"]

    async def test_siblings_inside_a_branch_too(self, draft):
        listed = await draft.do("reorder", order=["b", "a"])
        assert [each["id"] for each in listed if each["parent"] == "choose"] == ["b", "a", "c"]

    async def test_some_move_and_the_others_keep_their_order(self, draft):
        await draft.do("reorder", action_positions={"both": 0, "first": 2})
        assert await draft.top() == ["both", "choose", "first", "each"]

    @pytest.mark.parametrize(
        "how",
        [
            {"order": ["first", "choose", "each"]},
            {"order": ["first", "choose", "each", "both", "both"]},
            {"order": ["a", "first"]},
            {"action_positions": {"first": 1, "both": 1}},
            {"action_positions": {"first": 4}},
            {"action_positions": {"first": -1}},
            {"action_positions": {"first": 0, "a": 1}},
            {},
            {"order": ["a"], "action_positions": {"a": 0}},
        ],
    )
    async def test_an_order_that_cannot_be_is_refused(self, draft, how):
        with pytest.raises(Invalid) as caught:
            await draft.do("reorder", **how)
        assert caught.value.code == "invalid_order"
        assert await draft.document() == DEFINITION

    async def test_a_step_that_is_not_there_is_not_found(self, draft):
        with pytest.raises(NotFound):
            await draft.do("reorder", order=["first", "z"])


async def test_each_change_counts_as_a_revision(draft, platform, workspace):
    await draft.do("add_step", step("new"))
    await draft.do("replace_step", "new", step("new", name="N"))
    await draft.do("reorder", order=["b", "a"])
    await draft.do("delete_step", "new")
    assert (await workflows.get(platform, workspace.id, draft.workflow_id)).revision == 5


async def test_steps_of_an_active_workflow_do_not_change(platform, workspace):
    workflow = await workflows.create(platform, workspace.id, name="Greet", definition=a_definition())
    await workflows.publish(platform, workspace.id, workflow.id, published_by="t")
    draft = _Draft(platform, workspace, workflow)
    for attempt in (
        draft.do("add_step", step("new")),
        draft.do("replace_step", "greet", step("greet")),
        draft.do("delete_step", "greet"),
        draft.do("reorder", order=["greet"]),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "workflow_active"
    await workspaces.update_settings(platform, workspace.id, {"allow_drafts_beside_active": True})
    assert (await draft.do("add_step", step("new")))["path"] == "steps[1]"


async def test_another_workspaces_draft_is_not_found(draft, platform):
    for attempt in (
        drafts.list_steps(platform, uuid7(), draft.workflow_id),
        drafts.get_step(platform, uuid7(), draft.workflow_id, "first"),
        drafts.add_step(platform, uuid7(), draft.workflow_id, step("new")),
    ):
        with pytest.raises(NotFound):
            await attempt
