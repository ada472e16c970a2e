"""Workflows are made, found, changed, copied and deleted; two who change one at once do not overwrite each other."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.db.models import Run
from app.services import workflows
from app.services.errors import Conflict, Invalid, NotFound, Stale
from app.services.slugs import free_slug, slug_of
from tests.integration.services.building import a_definition, a_run, now


async def make(platform, workspace, name="Greet", **fields):
    return await workflows.create(platform, workspace.id, name=name, **fields)


class TestMaking:
    async def test_a_new_workflow_is_a_draft_with_the_definition_in_canonical_form(self, platform, workspace):
        made = await make(
            platform, workspace, definition={**a_definition(), "variables": {}}, tags=["a", "b"], category="sales"
        )
        assert (made.status, made.revision, made.active_version, made.latest_version) == ("draft", 1, None, 0)
        assert made.draft == a_definition()
        assert await self.stored(platform, workspace, made) == ("Greet", "greet", ["a", "b"], "sales")

    async def stored(self, platform, workspace, made):
        row = await workflows.get(platform, workspace.id, made.id)
        return row.name, row.slug, row.tags, row.category

    async def test_many_of_one_name_at_once_get_slugs_of_their_own(self, platform, workspace):
        made = await asyncio.gather(*(make(platform, workspace, "Same") for _ in range(24)))
        slugs = [(await self.stored(platform, workspace, one))[1] for one in made]
        assert len(set(slugs)) == 24
        assert all(slug.startswith("same") for slug in slugs)

    async def test_without_a_definition_the_draft_is_empty(self, platform, workspace):
        assert (await make(platform, workspace)).draft == {}

    async def test_every_problem_of_the_definitions_shape_is_said(self, platform, workspace):
        definition = {"stepz": [], "steps": [{"id": "A", "type": "delay", "duration": -1}], "variables": 3}
        with pytest.raises(Invalid) as caught:
            await make(platform, workspace, definition=definition)
        assert caught.value.code == "invalid_definition"
        assert {"stepz", "variables"} <= {problem.path for problem in caught.value.problems}

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"name": " "}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"slug": "Not A Slug"}, "slug"),
            ({"tags": [""]}, "tags[0]"),
            ({"tags": ["x" * 51]}, "tags[0]"),
            ({"description": "x" * 4001}, "description"),
        ],
    )
    async def test_fields_that_do_not_fit_are_refused(self, platform, workspace, fields, path):
        with pytest.raises(Invalid) as caught:
            await make(platform, workspace, **fields)
        assert [problem.path for problem in caught.value.problems] == [path]

    async def test_slugs_made_from_one_name_are_numbered(self, platform, workspace):
        slugs = [(await make(platform, workspace, "Größe & Co.")).slug for _ in range(3)]
        assert slugs == ["grosse-co", "grosse-co-2", "grosse-co-3"]

    async def test_ten_made_at_once_from_one_name_get_ten_slugs(self, platform, workspace):
        made = await asyncio.gather(*(make(platform, workspace) for _ in range(5)))
        assert len({each.slug for each in made}) == 5

    async def test_a_slug_that_was_asked_for_is_not_bent(self, platform, workspace):
        await make(platform, workspace, slug="mine")
        with pytest.raises(Conflict) as caught:
            await make(platform, workspace, "Other", slug="mine")
        assert caught.value.code == "slug_taken"

    async def test_two_workspaces_may_use_one_slug(self, platform, workspace):
        other = await self.another(platform)
        assert (await make(platform, workspace, slug="mine")).slug == (await make(platform, other, slug="mine")).slug

    async def another(self, platform):
        from app.services.workspaces import create_workspace  # noqa: PLC0415
        from tests.conftest import TestWorkspace  # noqa: PLC0415

        row, key = await create_workspace(platform, "Other")
        return TestWorkspace(row.workspace_id, key)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Hello, World!", "hello-world"), ("  ", "workflow"), ("日本", "workflow"), ("Ünïcode", "unicode"), ("-a-", "a")],
)
def test_a_slug_is_what_is_left_of_a_name_in_an_address(name, slug):
    assert slug_of(name) == slug


def test_a_long_name_leaves_room_for_a_number():
    slug = slug_of("a" * 500)
    assert len(free_slug(slug, {slug})) <= 100


class TestFinding:
    async def test_another_workspaces_workflow_is_not_found(self, platform, workspace):
        made = await make(platform, workspace)
        for call in (
            workflows.get(platform, uuid7(), made.id),
            workflows.get(platform, workspace.id, uuid7()),
            workflows.update(platform, uuid7(), made.id, {}),
            workflows.delete(platform, uuid7(), made.id),
            workflows.duplicate(platform, uuid7(), made.id),
        ):
            with pytest.raises(NotFound):
                await call

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("name", ["Alpha", "beta", "Delta", "gamma"]),
            ("-name", ["gamma", "Delta", "beta", "Alpha"]),
            ("created_at", ["gamma", "Alpha", "Delta", "beta"]),
            ("-created_at", ["beta", "Delta", "Alpha", "gamma"]),
            ("-updated_at", ["gamma", "beta", "Delta", "Alpha"]),
        ],
    )
    async def test_pages_follow_the_order_without_repeating_or_losing_any(self, platform, workspace, sort, expected):
        first = await make(platform, workspace, "gamma")
        for name in ("Alpha", "Delta", "beta"):
            await make(platform, workspace, name)
        await workflows.update(platform, workspace.id, first.id, {"icon": "x"})
        for limit in (1, 2, 3, 4):
            seen, cursor = [], None
            while True:
                page = await workflows.list_(platform, workspace.id, sort=sort, limit=limit, cursor=cursor)
                seen += [row.name for row in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert seen == expected

    async def test_workflows_made_in_the_same_moment_are_all_listed(self, platform, workspace):
        for _ in range(5):
            await make(platform, workspace)
        async with platform.database.transaction(workspace.id) as session:
            await session.execute(text("UPDATE workflows SET created_at = '2030-01-01'"))
        first = await workflows.list_(platform, workspace.id, limit=3)
        second = await workflows.list_(platform, workspace.id, limit=3, cursor=first.next_cursor)
        assert len({row.id for row in [*first.items, *second.items]}) == 5

    async def test_they_are_found_by_status_tag_and_text(self, platform, workspace):
        await make(platform, workspace, "100% sure", tags=["sales", "eu"])
        await make(platform, workspace, "Other", description="is it SURE?")
        paused = await make(platform, workspace, "Third", definition=a_definition())
        await workflows.publish(platform, workspace.id, paused.id, published_by="t")

        async def names(**filters):
            page = await workflows.list_(platform, workspace.id, sort="name", **filters)
            return [row.name for row in page.items]

        assert await names(status="active") == ["Third"]
        assert await names(tag="eu") == ["100% sure"]
        assert await names(tag="e") == []
        assert await names(q="sure") == ["100% sure", "Other"]
        assert await names(q="%") == ["100% sure"]
        assert await names(q="_") == []
        assert await names(q="", status="draft") == ["100% sure", "Other"]

    @pytest.mark.parametrize("cursor", ["", "x", "é", "e30", "bnVsbA", "A" * 5000])
    async def test_a_cursor_that_is_not_ours_is_refused(self, platform, workspace, cursor):
        with pytest.raises(Invalid) as caught:
            await workflows.list_(platform, workspace.id, cursor=cursor)
        assert caught.value.code == "invalid_cursor"

    async def test_a_cursor_of_another_order_is_refused(self, platform, workspace):
        for _ in range(2):
            await make(platform, workspace)
        page = await workflows.list_(platform, workspace.id, limit=1)
        with pytest.raises(Invalid, match="cursor"):
            await workflows.list_(platform, workspace.id, sort="name", cursor=page.next_cursor)

    async def test_an_unknown_order_is_refused(self, platform, workspace):
        with pytest.raises(Invalid, match="created_at, updated_at, name"):
            await workflows.list_(platform, workspace.id, sort="colour")


class TestChanging:
    async def test_only_what_is_named_changes_and_the_revision_counts_it(self, platform, workspace):
        made = await make(platform, workspace, description="old", tags=["a"])
        changed = await workflows.update(platform, workspace.id, made.id, {"tags": ["b"], "icon": "bolt"})
        assert (changed.description, changed.tags, changed.icon, changed.revision) == ("old", ["b"], "bolt", 2)
        assert changed.updated_at > made.updated_at
        assert (await workflows.update(platform, workspace.id, made.id, {"icon": None})).icon is None

    async def test_nothing_named_changes_nothing(self, platform, workspace):
        made = await make(platform, workspace)
        assert (await workflows.update(platform, workspace.id, made.id, {})).revision == 1

    async def test_a_stale_revision_is_refused(self, platform, workspace):
        made = await make(platform, workspace)
        await workflows.update(platform, workspace.id, made.id, {"name": "One"}, if_match=1)
        with pytest.raises(Stale, match="revision 2, not the one you read"):
            await workflows.update(platform, workspace.id, made.id, {"name": "Two"}, if_match=1)
        assert (await workflows.get(platform, workspace.id, made.id)).name == "One"

    async def test_of_ten_who_read_the_same_revision_one_wins(self, platform, workspace):
        made = await make(platform, workspace)

        async def change(number):
            try:
                await workflows.update(platform, workspace.id, made.id, {"name": f"N{number}"}, if_match=1)
            except Stale:
                return False
            return True

        assert sum(await asyncio.gather(*(change(number) for number in range(10)))) == 1

    @pytest.mark.parametrize(
        "changes", [{"name": None}, {"nmae": "x"}, {"tags": "a"}, {"definition": None}, {"status": "active"}]
    )
    async def test_changes_that_do_not_fit_are_refused(self, platform, workspace, changes):
        made = await make(platform, workspace)
        with pytest.raises(Invalid):
            await workflows.update(platform, workspace.id, made.id, changes)

    async def test_a_slug_of_another_workflow_is_refused(self, platform, workspace):
        await make(platform, workspace, slug="taken")
        made = await make(platform, workspace)
        with pytest.raises(Conflict) as caught:
            await workflows.update(platform, workspace.id, made.id, {"slug": "taken"})
        assert caught.value.code == "slug_taken"

    async def test_text_postgresql_cannot_hold_is_mended(self, platform, workspace):
        made = await make(platform, workspace, "a\0b", tags=["\0"])
        row = await workflows.get(platform, workspace.id, made.id)
        assert (row.name, row.tags) == ("a�b", ["�"])


class TestDeleting:
    async def test_a_deleted_workflow_takes_its_versions_and_leaves_its_runs(self, platform, workspace):
        made = await make(platform, workspace, definition=a_definition())
        await workflows.publish(platform, workspace.id, made.id, published_by="t")
        run_id = await a_run(platform, workspace.id, workflow_id=made.id, status="completed")
        await workflows.delete(platform, workspace.id, made.id)
        async with platform.database.transaction(workspace.id) as session:
            assert await session.scalar(text("SELECT count(*) FROM versions")) == 0
            assert await session.get(Run, (workspace.id, run_id)) is not None

    @pytest.mark.parametrize("status", ["pending", "running", "waiting", "paused", "held"])
    async def test_with_runs_under_way_it_stays_and_the_way_out_is_said(self, platform, workspace, status):
        made = await make(platform, workspace)
        for _ in range(2):
            await a_run(platform, workspace.id, workflow_id=made.id, status=status)
        with pytest.raises(Conflict, match=r"2 runs under way: cancel them .* or archive") as caught:
            await workflows.delete(platform, workspace.id, made.id)
        assert caught.value.code == "runs_under_way"


async def test_a_duplicate_is_a_draft_of_its_own(platform, workspace):
    made = await make(platform, workspace, definition=a_definition(), tags=["a"], description="d", icon="i")
    await workflows.publish(platform, workspace.id, made.id, published_by="t")
    copy = await workflows.duplicate(platform, workspace.id, made.id)
    assert (copy.name, copy.slug, copy.status, copy.active_version) == ("Greet (copy)", "greet-copy", "draft", None)
    assert (copy.draft, copy.tags, copy.description, copy.icon) == (a_definition(), ["a"], "d", "i")
    await workflows.update(platform, workspace.id, copy.id, {"definition": {}})
    assert (await workflows.get(platform, workspace.id, made.id)).draft == a_definition()


async def test_stats_count_runs_and_say_how_the_last_ones_went(platform, workspace):
    busy, idle = await make(platform, workspace), await make(platform, workspace)
    start = now().replace(microsecond=0)
    for minutes, status, message in (
        (1, "completed", None),
        (2, "failed", "first failure"),
        (3, "timed_out", "took too long"),
        (4, "completed", None),
        (5, "running", None),
        (6, "cancelled", None),
    ):
        await a_run(
            platform,
            workspace.id,
            workflow_id=busy.id,
            status=status,
            started_at=start + timedelta(minutes=minutes),
            finished_at=None if status == "running" else start + timedelta(minutes=minutes, seconds=1),
            error={"message": message} if message else None,
        )
    stats = await workflows.stats(platform, workspace.id, [busy.id, idle.id])
    assert stats[idle.id] == workflows.WorkflowStats()
    assert stats[busy.id] == workflows.WorkflowStats(
        total_runs=6,
        successful_runs=2,
        failed_runs=2,
        last_run_at=start + timedelta(minutes=6),
        last_success_at=start + timedelta(minutes=4, seconds=1),
        last_error_at=start + timedelta(minutes=3, seconds=1),
        last_error="took too long",
    )
