"""From steps that name the next one to a tree: chains to lists, ways that part and meet again to conditions.

A way that ends on its own while others go on ends the run. A circle, and ways that meet in no common step, have no tree
and are refused. What a step is, is not known here.
"""

from collections.abc import Callable, Mapping, Sequence

from app.definition.dialects.made import Made

Ways = Sequence[str | None]
"""Where a step leads: ids of next steps, one for each way; None ends the run."""

MOST_NESTED = 30


class NoTree(Exception):
    """The steps have no tree; `step` is where that shows."""

    def __init__(self, step: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.step, self.message, self.hint = step, message, hint


class Builder:
    """Builds the tree. `write` makes the steps of one node, given what each of its ways holds (None without ways)."""

    def __init__(
        self,
        ways: Mapping[str, Ways],
        write: Callable[[str, list[list[Made]] | None], list[Made]],
        halt: Callable[[str], Made],
    ) -> None:
        self.ways, self.write, self.halt = ways, write, halt
        self.order = _sorted(ways)
        self.seen: list[str] = []
        self._reach: dict[str, frozenset[str]] = {}
        for node in reversed(self.order):
            ahead = [target for target in ways[node] if target is not None]
            self._reach[node] = frozenset([node]).union(*(self._reach[target] for target in ahead))

    def tree(self, start: str) -> list[Made]:
        """The steps from `start` to the end."""
        return self._list(start, None, 0)

    def _list(self, start: str | None, until: str | None, depth: int) -> list[Made]:
        made: list[Made] = []
        here, last = start, None
        while here is not None and here != until:
            if here in self.seen:
                raise NoTree(
                    here,
                    "several ways lead to this step that do not part at one place",
                    "let them meet in one step, or give each way a copy of it",
                )
            if depth > MOST_NESTED:
                raise NoTree(here, f"ways part more than {MOST_NESTED} times inside each other", "split the workflow")
            self.seen.append(here)
            last = here
            targets = self.ways[here]
            if len(targets) == 1:
                made += self.write(here, None)
                here = targets[0]
                continue
            join = self._join(targets, until)
            inner = self._inner(here, targets, join if join is not None else until, depth)
            made += self.write(here, inner)
            here = join
            if join is None and until is not None:
                # Each way has said itself whether it goes on to there.
                return made
        if here is None and until is not None:
            made.append(self.halt(last or until))
        return made

    def _inner(self, node: str, targets: Ways, until: str | None, depth: int) -> list[list[Made]]:
        """The steps of each way, up to where they meet."""
        inner = []
        for target in targets:
            steps = self._list(target, until, depth + 1) if target is not None else []
            if target is None and until is not None:
                steps = [self.halt(node)]
            inner.append(steps)
        return inner

    def _join(self, targets: Ways, until: str | None) -> str | None:
        """The first step at which ways meet again before `until`."""
        reached = [self._reach[target] for target in targets if target is not None]
        for node in self.order:
            if sum(node in nodes for nodes in reached) > 1:
                return None if node == until else node
        return None


def _sorted(ways: Mapping[str, Ways]) -> list[str]:
    """The steps, each before those it leads to. Raises NoTree for a circle."""
    state: dict[str, int] = {}
    done: list[str] = []
    for root in ways:
        stack: list[tuple[str, int]] = [(root, 0)]
        while stack:
            node, at = stack.pop()
            if at == 0:
                if state.get(node):
                    continue
                state[node] = 1
            targets = [target for target in ways[node] if target is not None]
            if at < len(targets):
                stack.append((node, at + 1))
                if state.get(targets[at]) == 1:
                    path = " -> ".join([*[each for each, _ in stack][-5:], targets[at]])
                    raise NoTree(node, f"the steps lead in a circle: {path}", "use a loop for what is done again")
                if not state.get(targets[at]):
                    stack.append((targets[at], 0))
            else:
                state[node] = 2
                done.append(node)
    return done[::-1]
