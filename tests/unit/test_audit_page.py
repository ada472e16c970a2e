"""The page about the audit log says what is in it."""

from collections.abc import Iterator

from api.schemas.audit import AuditEntryAnswer
from app.services.audit import ACTIONS, ACTORS
from tests.support.documents import quoted, table


def test_the_page_lists_every_action() -> None:
    told = {f"{quoted(row[0])[0]}.{verb}" for row in table("audit.md", "target") for verb in quoted(row[1])}
    assert told == set(ACTIONS)


def fields() -> Iterator[str]:
    for row in table("audit.md", "field"):
        yield from quoted(row[0])


def test_the_page_lists_every_field_and_every_kind_of_actor() -> None:
    assert set(fields()) == set(AuditEntryAnswer.model_fields)
    [actors] = [row[1] for row in table("audit.md", "field") if quoted(row[0]) == ["actor"]]
    assert set(ACTORS) <= set(quoted(actors))
