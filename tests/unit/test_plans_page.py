"""The tables of docs/plans.md agree with the code."""

from dataclasses import fields

from app.services.plan_table import PLANS, Plan
from app.services.plans import Overrides
from app.settings import Settings
from tests.support.documents import quoted, table


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "any" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def test_the_plans_are_those_of_the_code() -> None:
    rows = {quoted(row[0])[0]: row[1:] for row in table("plans.md", "limit")}
    names = [field.name for field in fields(Plan) if field.name != "name"]
    assert set(rows) == set(names) == set(Overrides.model_fields)
    for name in names:
        told = [shown(getattr(plan, name)) for plan in PLANS.values()]
        assert rows[name] == (["as set" if each == "any" else each for each in told] if name == "rate_limit" else told)


def test_the_rates_are_settings() -> None:
    told = {quoted(row[0])[0] for row in table("plans.md", "setting")}
    assert told == {f"HOLDFAST_{name.upper()}" for name in Settings.model_fields if name.startswith("rate_limit_")}
