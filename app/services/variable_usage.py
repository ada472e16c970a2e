"""What would miss a variable of the workspace: workflows that use it. Changes nothing."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Variable
from app.definition.problems import Problem
from app.definition.variable_uses import variable_uses
from app.json import JsonObject
from app.services.definition_usage import problem
from app.services.errors import Conflict
from app.store import definition_uses as store


async def in_use(session: AsyncSession, row: Variable) -> Conflict | None:
    """Why it should not be deleted, with every definition that uses it; None when none does. Runs under way took the
    values of plain ones along: only secrets are still asked for."""
    found: list[Problem] = []

    def look(each: store.Naming, version: int | None, document: JsonObject | None, *, under_way: bool) -> None:
        if places := variable_uses(document, row.name, is_secret=row.is_secret):
            instead = "do without it there"
            found.append(problem(each.name, each.slug, version, places, under_way=under_way, instead=instead))

    saying = store.saying(row.name)
    for each in await store.workflows_that(session, row.workspace_id, saying):
        look(each, each.version, each.definition, under_way=False)
        look(each, None, each.draft, under_way=False)
    if row.is_secret:
        for each in await store.versions_under_way(session, row.workspace_id, saying):
            look(each, each.version, each.definition, under_way=True)
    if not found:
        return None
    return Conflict(
        "variable_in_use",
        f"The variable {row.name!r} is used, see errors: let nothing use it any more, or as an administrator delete it "
        "all the same with ?force=true.",
        found,
    )
