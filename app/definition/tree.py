"""Walking a definition's tree of steps in the order they are written, and saying where a step stands."""

from collections.abc import Iterator, Sequence

from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.paths import format_path
from app.definition.steps import Step


def walk(definition: Definition) -> Iterator[tuple[str, Step]]:
    """Every step with its JSON path (`steps[2].branches[0].steps[1]`), outer before inner, `finally` last."""
    for path, step in walk_paths(definition):
        yield format_path(path), step


def walk_paths(definition: Definition) -> Iterator[tuple[Path, Step]]:
    """As `walk`, with each place as keys and indices."""
    yield from walk_list(definition.steps, ("steps",))
    yield from walk_list(definition.finally_, ("finally",))


def walk_list(steps: Sequence[Step], place: Path) -> Iterator[tuple[Path, Step]]:
    """The steps of one list and all below them; `place` is where the list stands."""
    for index, step in enumerate(steps):
        here = (*place, index)
        yield here, step
        for inner, children in step.children():
            yield from walk_list(children, (*here, *inner))


def find(definition: Definition, step_id: str) -> tuple[str, Step] | None:
    """The step with this id and its JSON path, or None."""
    return next(((path, step) for path, step in walk(definition) if step.id == step_id), None)


def nesting(path: Path) -> int:
    """How many lists of steps are around a place: 1 for a step of the definition itself."""
    return sum(isinstance(part, int) and _holds_steps(path, at) for at, part in enumerate(path))


def _holds_steps(path: Path, at: int) -> bool:
    """Whether the index at this position picks a step (and not a branch, whose list comes after it)."""
    return at > 0 and path[at - 1] != "branches"
