"""Reads the project's own documents: their code blocks, tables and links. What must be true of them is in the tests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.definition.parse import read_text
from app.json import Json, JsonObject

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]

_FENCE = re.compile(r"^( *)```(\w*) *([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}\S[^\n]*\n)+", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, the words after it, and its text."""

    page: Path
    line: int
    language: str
    words: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def kind(self) -> str:
        """The first word after the language: what the block is."""
        return self.words.split(" ", 1)[0]

    def content(self) -> Json:
        """The value of a YAML or JSON block."""
        return read_text(self.text)


@dataclass(frozen=True)
class Runnable:
    """A definition with what it is started with, and what its run must look like at its end.

    One that is held on its way has what it must look like then, and what is decided.
    """

    place: str
    definition: JsonObject
    input: Json
    ends: JsonObject
    held: JsonObject | None = None
    decision: JsonObject | None = None
    first: JsonObject | None = None
    """A workflow that it runs, and that is to be published before."""


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all pages in these languages."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def runnables() -> Iterator[Runnable]:
    """Each `yaml run` block with the JSON blocks that must follow it.

    `output` is what the run answers, `ends` what its run looks like when it does not complete; `held` and `decision`
    may stand before them. The first has the input: `output input={}`. A `yaml first` before it is what it runs.
    """
    found = blocks("yaml", "json")
    for number, block in enumerate(found):
        if block.kind != "run":
            continue
        after = [each for each in found[number + 1 : number + 4] if each.page == block.page]
        held, decision = (after.pop(0), after.pop(0)) if after and after[0].kind == "held" else (None, None)
        assert after, f"{block.place}: no output follows"
        assert after[0].kind in ("output", "ends"), f"{block.place}: no output follows"
        assert decision is None or decision.kind == "decision", f"{block.place}: no decision follows"
        end = after[0].content()
        yield Runnable(
            block.place,
            block.content(),
            json.loads((held or after[0]).words.partition(" input=")[2]),
            end if after[0].kind == "ends" else {"status": "completed", "output": end},
            None if held is None else held.content(),
            None if decision is None else decision.content(),
            found[number - 1].content() if found[number - 1].kind == "first" else None,
        )


def commands() -> list[tuple[str, str]]:
    """`(place, line)` of every shell line in fenced and indented blocks, continued lines joined, comments left out."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = page.read_text()
        texts = [block.text for block in _blocks(page) if block.language == "sh"]
        texts += [match[0] for match in _INDENTED.finditer(_FENCE.sub("", text))]
        for part in texts:
            lines = part.replace("\\\n", " ").splitlines()
            found += [(page.name, re.split(r"\s#\s", f" {line} ")[0].strip()) for line in lines]
    return [(place, line) for place, line in found if line]


def table(page: str, first_column: str) -> list[list[str]]:
    """The rows of the table on a page of `docs/` whose head begins with `first_column`; cells without escapes."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def quoted(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors a page's headings make, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in _FENCE.finditer(text):
        indent, language, words, content = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, language, words.strip(), re.sub(f"^{indent}", "", content, flags=re.MULTILINE))
