"""Texts changed by atheris, led by the lines they reach. Run by `python -m tests.fuzz`; takes libFuzzer's options."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app.definition", "jinja2"]):
    from tests.support.any_expression import check

from app.json import JsonObject
from tests.support.documents import table

CONTEXT: JsonObject = {
    "trigger": {"a": "Ada", "b": [1, 2.5, None, True], "n": {"b": "2030-01-31T09:00:00Z"}},
    "items": [{"a": 3}, {"a": 1}],
    "vars": {"a": "a,b", "b": -1},
    "now": "2030-01-31T09:00:00Z",
}


def one(data: bytes) -> None:
    """Check the text; whether the bytes are one, and what is in reach, is theirs to say."""
    provider = atheris.FuzzedDataProvider(data)
    context = dict(CONTEXT)
    if provider.ConsumeBool():
        context["items"] = [
            provider.ConsumeInt(4),
            provider.ConsumeRegularFloat(),
            provider.ConsumeUnicodeNoSurrogates(9),
        ]
    text = provider.ConsumeUnicodeNoSurrogates(400)
    check(text, context)
    check(f"{{{{ {text} }}}}", context)


def _seeds(folder: Path) -> None:
    """The examples of the documentation, to begin with."""
    for number, row in enumerate(table("filters.md", "filter")):
        (folder / str(number)).write_bytes(row[2].strip("`").encode())


def main() -> None:
    """Ends by itself when libFuzzer's time is over, or with its exit code and the text where something did harm."""
    with tempfile.TemporaryDirectory() as folder:
        _seeds(Path(folder))
        atheris.Setup([*sys.argv, folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
