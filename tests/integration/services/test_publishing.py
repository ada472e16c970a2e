"""A draft becomes an immutable version; a workflow's status, version and subscriptions always fit each other."""

import asyncio
import itertools

import pytest
from sqlalchemy import select

from app.db.models import Subscription
from app.definition.parse import digest
from app.services import connections, workflows, workspaces
from app.services.errors import Conflict, Invalid, NotFound
from tests.integration.services.building import a_definition


def listening_to(*events):
    return a_definition(trigger=None) | {"triggers": [{"type": "event", "event": event} for event in events]}


@pytest.fixture
async def workflow(platform, workspace):
    return await workflows.create(platform, workspace.id, name="Greet", definition=a_definition())


class _Steps:
    """The use cases on one workflow, in short."""

    def __init__(self, platform, workspace, workflow):
        self.platform, self.workspace, self.id = platform, workspace, workflow.id

    async def do(self, use_case, *args, **kwargs):
        return await getattr(workflows, use_case)(self.platform, self.workspace.id, self.id, *args, **kwargs)

    async def publish(self, **kwargs):
        return await self.do("publish", **{"published_by": "tester", **kwargs})

    async def draft(self, definition):
        return await self.do("update", {"definition": definition})

    async def state(self):
        row = await self.do("get")
        return row.status, row.active_version, row.latest_version

    async def events(self):
        async with self.platform.database.transaction(self.workspace.id) as session:
            rows = await session.scalars(select(Subscription).order_by(Subscription.position))
            return [row.event for row in rows]


@pytest.fixture
def it(platform, workspace, workflow):
    return _Steps(platform, workspace, workflow)


class TestPublishing:
    async def test_the_draft_becomes_the_version_new_runs_take(self, it):
        version = await it.publish(comment="first")
        assert (version.number, version.comment, version.published_by) == (1, "first", "tester")
        assert (version.definition, version.digest) == (a_definition(), digest(a_definition()))
        assert version.published_at is not None
        assert await it.state() == ("active", 1, 1)
        assert await it.events() == ["crm.contact.created"]

    async def test_an_unchanged_draft_makes_no_second_version(self, it):
        first = await it.publish()
        revision = (await it.do("get")).revision
        again = await it.publish(comment="again")
        assert (again.number, again.comment, again.published_at) == (1, None, first.published_at)
        assert (await it.do("get")).revision == revision

    async def test_without_activate_new_runs_keep_the_version_they_had(self, it):
        await it.publish()
        await it.do("pause")
        await it.draft(listening_to("a.b"))
        await it.publish(activate=False)
        assert await it.state() == ("paused", 1, 2)
        assert await it.events() == []
        await it.do("activate")
        assert await it.state() == ("active", 2, 2)
        assert await it.events() == ["a.b"]

    async def test_two_at_once_give_two_numbers_or_one_version(self, it):
        async def change_and_publish(number):
            await it.draft(listening_to(f"a.b{number}"))
            return (await it.publish(activate=False)).number

        numbers = await asyncio.gather(*(change_and_publish(number) for number in range(6)))
        latest = (await it.do("get")).latest_version
        assert sorted(set(numbers)) == list(range(1, latest + 1))
        digests = [row.digest for row in (await it.do("versions")).items]
        assert all(one != other for one, other in itertools.pairwise(digests))

    async def test_every_problem_is_said_at_once_and_nothing_is_published(self, it):
        await it.draft(
            {
                "steps": [
                    {"id": "a", "type": "action", "action": "email.sned"},
                    {"id": "b", "type": "transform", "mapping": {"x": "{{ steps.nowhere.output }}"}},
                ]
            }
        )
        with pytest.raises(Invalid) as caught:
            await it.publish()
        assert caught.value.code == "invalid_definition"
        assert {problem.path.partition(".")[0] for problem in caught.value.problems} == {"steps[0]", "steps[1]"}
        assert await it.state() == ("draft", None, 0)

    async def test_connections_are_checked_against_those_of_the_workspace(self, it, platform, workspace):
        step = {"id": "mail", "type": "action", "action": "email.send", "connection": "main"}
        await it.draft({"steps": [{**step, "inputs": {"to": "a@example.com", "subject": "s", "body": "b"}}]})
        assert [problem.path for problem in await it.do("validate")] == ["steps[0].connection"]
        config = {"host": "mail.example.com"}
        await connections.create(platform, workspace.id, kind="smtp", name="main", config=config)
        assert await it.do("validate") == []
        assert (await it.publish()).number == 1

    async def test_the_workspaces_limit_of_steps_holds(self, it, platform, workspace):
        await workspaces.update_settings(platform, workspace.id, {"max_steps": 1})
        steps = [{"id": f"s{number}", "type": "transform", "mapping": {}} for number in range(2)]
        await it.draft({"steps": steps})
        with pytest.raises(Invalid):
            await it.publish()


class TestValidating:
    async def test_a_definition_given_is_checked_instead_of_the_draft(self, it):
        assert await it.do("validate") == []
        problems = await it.do("validate", {"stepz": []})
        assert [problem.path for problem in problems] == ["stepz"]
        assert (await it.do("get")).draft == a_definition()

    @pytest.mark.parametrize("document", [3, "text", [], None])
    async def test_what_is_no_object_is_a_problem(self, it, document):
        problems = await it.do("validate", document)
        assert bool(problems) == (document is not None)


class TestStatus:
    async def test_pausing_and_activating_turn_events_off_and_on(self, it):
        await it.publish()
        assert (await it.do("pause")).status == "paused"
        assert await it.events() == []
        assert (await it.do("pause")).status == "paused"
        assert (await it.do("activate")).status == "active"
        assert await it.events() == ["crm.contact.created"]
        assert (await it.do("activate")).active_version == 1

    async def test_what_was_never_published_cannot_be_activated(self, it):
        with pytest.raises(Conflict) as caught:
            await it.do("activate")
        assert caught.value.code == "nothing_published"
        assert "publish its draft" in caught.value.detail

    async def test_a_draft_cannot_be_paused(self, it):
        with pytest.raises(Conflict) as caught:
            await it.do("pause")
        assert caught.value.code == "workflow_not_active"

    async def test_an_archived_workflow_listens_to_nothing_and_can_be_brought_back(self, it):
        await it.publish()
        assert (await it.do("archive")).status == "archived"
        assert await it.events() == []
        with pytest.raises(Conflict):
            await it.do("pause")
        await it.do("activate")
        assert await it.state() == ("active", 1, 1)
        assert await it.events() == ["crm.contact.created"]

    async def test_a_draft_can_be_archived(self, it):
        assert (await it.do("archive")).status == "archived"

    async def test_the_draft_of_an_active_workflow_does_not_change(self, it):
        await it.publish()
        for change in (it.draft({}), it.do("restore", 1)):
            with pytest.raises(Conflict, match=r"pause it first.*allow_drafts_beside_active") as caught:
                await change
            assert caught.value.code == "workflow_active"
        assert (await it.do("update", {"description": "may change"})).description == "may change"

    async def test_unless_the_workspace_allows_drafts_beside_it(self, it, platform, workspace):
        await workspaces.update_settings(platform, workspace.id, {"allow_drafts_beside_active": True})
        await it.publish()
        await it.draft(listening_to("a.b"))
        assert await it.events() == ["crm.contact.created"]
        assert await it.state() == ("active", 1, 1)
        await it.publish()
        assert await it.events() == ["a.b"]
        assert await it.state() == ("active", 2, 2)

    async def test_subscriptions_keep_source_and_filter(self, it, platform, workspace):
        trigger = {"type": "event", "event": "crm.*", "source": "/crm", "filter": {"total": {"$gt": 5}}}
        await it.draft(a_definition(trigger=trigger))
        await it.publish()
        async with platform.database.transaction(workspace.id) as session:
            row = (await session.scalars(select(Subscription))).one()
        assert (row.event, row.source, row.filter) == ("crm.*", "/crm", {"total": {"$gt": 5}})


class TestVersions:
    async def test_they_are_listed_newest_first_in_pages(self, it, platform, workspace):
        for number in range(1, 6):
            await it.draft(listening_to(f"a.b{number}"))
            await it.publish(activate=False)
        first = await it.do("versions", limit=2)
        second = await it.do("versions", limit=3, cursor=first.next_cursor)
        assert [row.number for row in [*first.items, *second.items]] == [5, 4, 3, 2, 1]
        assert second.next_cursor is None
        with pytest.raises(Invalid):
            await it.do("versions", cursor="x")

    async def test_one_is_read_by_its_number(self, it):
        await it.publish()
        assert (await it.do("version", 1)).definition == a_definition()
        with pytest.raises(NotFound, match="no version 2; its latest is 1"):
            await it.do("version", 2)

    async def test_restoring_makes_an_old_definition_the_draft_again(self, it):
        await it.publish()
        await it.do("pause")
        await it.draft({})
        restored = await it.do("restore", 1)
        assert (restored.draft, restored.revision) == (a_definition(), 5)
        with pytest.raises(NotFound):
            await it.do("restore", 9)


class TestApplying:
    async def apply(self, platform, workspace, **changes):
        definition = a_definition(name="Nightly report", **changes)
        return await workflows.apply(platform, workspace.id, definition, published_by="ci")

    async def test_the_first_time_makes_publishes_and_activates(self, platform, workspace):
        workflow, version, created, changed = await self.apply(platform, workspace, description="d")
        assert (workflow.slug, workflow.status, workflow.description) == ("nightly-report", "active", "d")
        assert (version.number, version.published_by, created, changed) == (1, "ci", True, True)

    async def test_the_same_again_changes_nothing(self, platform, workspace):
        first, *_ = await self.apply(platform, workspace)
        workflow, version, created, changed = await self.apply(platform, workspace)
        assert (workflow.id, workflow.revision) == (first.id, first.revision)
        assert (version.number, created, changed) == (1, False, False)

    async def test_a_change_of_an_active_workflow_is_published_at_once(self, platform, workspace):
        first, *_ = await self.apply(platform, workspace)
        workflow, version, created, changed = await self.apply(platform, workspace, variables={"a": 1})
        assert (workflow.id, workflow.status, workflow.active_version) == (first.id, "active", 2)
        assert (version.number, created, changed) == (2, False, True)

    @pytest.mark.parametrize("put", ["pause", "archive"])
    async def test_what_an_operator_put_aside_stays_aside(self, platform, workspace, put):
        first, *_ = await self.apply(platform, workspace)
        await getattr(workflows, put)(platform, workspace.id, first.id)
        workflow, version, _, changed = await self.apply(platform, workspace, variables={"a": 1})
        assert (workflow.status[:5], workflow.active_version, version.number, changed) == (put[:5], 1, 2, True)

    async def test_two_at_once_make_one_workflow(self, platform, workspace):
        results = await asyncio.gather(*(self.apply(platform, workspace) for _ in range(4)))
        assert len({workflow.id for workflow, *_ in results}) == 1
        assert sorted(created for _, _, created, _ in results) == [False, False, False, True]

    async def test_problems_leave_everything_as_it_was(self, platform, workspace):
        first, *_ = await self.apply(platform, workspace)
        with pytest.raises(Invalid):
            await self.apply(platform, workspace, steps=[{"id": "a", "type": "action", "action": "no.such"}])
        row = await workflows.get(platform, workspace.id, first.id)
        assert (row.revision, row.latest_version, row.draft) == (first.revision, 1, first.draft)

    async def test_a_definition_without_a_name_is_refused(self, platform, workspace):
        with pytest.raises(Invalid) as caught:
            await workflows.apply(platform, workspace.id, a_definition(), published_by="ci")
        assert [problem.path for problem in caught.value.problems] == ["name"]

    async def test_without_activating_the_active_version_goes_on(self, platform, workspace):
        first, *_ = await self.apply(platform, workspace)
        definition = a_definition(name="Nightly report", variables={"a": 1})
        workflow, version, *_ = await workflows.apply(
            platform, workspace.id, definition, activate=False, comment="try", published_by="ci"
        )
        assert (workflow.status, workflow.active_version) == (first.status, 1)
        assert (version.number, version.comment) == (2, "try")
