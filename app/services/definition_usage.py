"""How people are told of a definition that would miss what they are about to take away."""

from collections.abc import Sequence

from app.definition.problems import Problem


def problem(
    name: str, slug: str, version: int | None, places: Sequence[str], *, under_way: bool, instead: str
) -> Problem:
    """A definition of the workflow that uses it at these places; `version` None is its draft. `under_way`: no new run
    takes the version, and runs under way use it still. `instead` is what to do in the definition."""
    if under_way:
        hint = f"let the runs of version {version} end, or cancel them"
    else:
        hint = instead + ("" if version is None else " and publish, or archive the workflow")
    return Problem(
        f"workflows.{slug}." + ("draft" if version is None else f"versions[{version}]"),
        f'"{name}" uses it at {", ".join(places)}' + (", in runs under way" if under_way else ""),
        hint,
    )
