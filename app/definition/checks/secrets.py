"""Where a workspace's variables may stand. A secret one is put into the inputs of an action as it is, whole or inside
text, and nowhere else: a run only ever has a mark for it, which nothing can be computed from.
"""

from collections.abc import Iterator, Mapping

from jinja2 import nodes

from app.definition.checks.actions import ActionInfo
from app.definition.checks.findings import Findings
from app.definition.errors import ExpressionError, Path
from app.definition.model import Definition
from app.definition.nearest import suggestion
from app.definition.parse import dump
from app.definition.references import templates
from app.definition.steps import ActionStep
from app.definition.syntax import parse
from app.definition.tree import walk_paths
from app.definition.variable_uses import PLAIN, SECRET, looked_up

ROOT = "secrets"
ONLY_IN_INPUTS = "a secret can only be placed in the inputs of an action"
ONLY_IN_INPUTS_HINT = "write {{ secrets.<name> }} where it is sent"


def check_secrets(
    definition: Definition, actions: Mapping[str, ActionInfo], known: Mapping[str, bool] | None, findings: Findings
) -> None:
    """Each `secrets.<name>`: it stands where it may, as it is, and there is such a secret."""
    owners = {
        (*place, "inputs"): actions.get(step.action)
        for place, step in walk_paths(definition)
        if isinstance(step, ActionStep)
    }
    for place, text in templates(dump(definition)):
        if ROOT not in text:
            continue
        try:
            body = parse(text).body
        except ExpressionError:
            continue
        uses = sum(name.name == ROOT for node in body for name in _names(node))
        if not uses:
            continue
        owner = next((place[:length] for length in range(len(place), 0, -1) if place[:length] in owners), None)
        if owner is None:
            findings.add(place, ONLY_IN_INPUTS, ONLY_IN_INPUTS_HINT)
            continue
        action = owners[owner]
        if action is not None and action.where in ("inline", "local"):
            findings.add(place, f"{action.id} keeps what it is given: no secret can be placed there", "leave it out")
        placed = [key for node in body for key in _placed(node)]
        if len(placed) != uses:
            findings.add(
                place,
                "a secret is placed as it is, whole or inside text: nothing can be computed from it",
                "write {{ secrets.<name> }} without filters or conditions",
            )
        for name in placed:
            _check_there(name, place, known, findings)


def used(document: object) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the secret, and of the plain, variables of the workspace that a published definition uses."""
    found = [path for _, path in looked_up(document)]
    secret, plain = (
        frozenset(str(path[len(root)]) for path in found if path[: len(root)] == root and len(path) > len(root))
        for root in (SECRET, PLAIN)
    )
    return secret, plain


def check_workspace_variable(path: Path, place: Path, known: Mapping[str, bool] | None, findings: Findings) -> None:
    """`workspace.vars.<name>`: named as it stands, since a run takes along those that are named."""
    if path[:1] != ("vars",):
        return
    if len(path) < 2:
        findings.add(place, "a variable of the workspace is named as it stands", "write workspace.vars.<name>")
    elif known is not None and known.get(str(path[1])) is not False:
        name = str(path[1])
        hint = suggestion(name, [each for each, is_secret in known.items() if not is_secret], what="variables")
        secret = known.get(name, False)
        findings.add(
            place,
            f"'{name}' is a secret" if secret else f"the workspace has no variable '{name}'",
            f"write secrets.{name} in the inputs of an action" if secret else hint or "make it first",
        )


def _check_there(name: str, place: Path, known: Mapping[str, bool] | None, findings: Findings) -> None:
    if known is None or known.get(name):
        return
    if name in known:
        findings.add(place, f"'{name}' is no secret", f"write workspace.vars.{name}")
        return
    hint = suggestion(name, [each for each, is_secret in known.items() if is_secret], what="secrets")
    findings.add(place, f"the workspace has no secret '{name}'", hint or "make it first")


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _placed(node: nodes.Node) -> Iterator[str]:
    """Secrets that are what an `{{ }}` of the text gives, each by its name."""
    if not isinstance(node, nodes.Output):
        return
    for part in node.nodes:
        if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name) and part.node.name == ROOT:
            yield part.attr
        elif (
            isinstance(part, nodes.Getitem)
            and isinstance(part.node, nodes.Name)
            and part.node.name == ROOT
            and isinstance(part.arg, nodes.Const)
        ):
            yield str(part.arg.value)
