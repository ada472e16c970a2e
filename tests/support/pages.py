"""Pages as their readers meet them: what stands in the HTML, taken apart by the standard library alone."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"input", "meta", "img", "br", "link"}


@dataclass
class Tag:
    """One element with the text inside it."""

    name: str
    attributes: dict[str, str]
    parents: tuple["Tag", ...] = ()
    text: str = ""

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]


@dataclass
class Page:
    """All elements in their order."""

    tags: list[Tag] = field(default_factory=list)

    def all(self, *names: str, **attributes: str) -> list[Tag]:
        """Elements of these names with these attributes (`for_` for `for`)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            tag
            for tag in self.tags
            if (not names or tag.name in names)
            and all(tag.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, *names: str, **attributes: str) -> Tag:
        """The only such element."""
        [found] = self.all(*names, **attributes)
        return found

    def text(self, id_: str) -> str:
        """What stands in the element of this id."""
        return self.one(id=id_).text.strip()

    def inputs(self) -> list[Tag]:
        """Everything a person can fill in."""
        found = self.all("input", "select", "textarea")
        return [tag for tag in found if tag.attributes.get("type") != "hidden"]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.open: list[Tag] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Tag(tag, {name: value or "" for name, value in attrs}, tuple(self.open))
        self.page.tags.append(made)
        if tag not in _VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            tag.text += data


def page_of(html: str) -> Page:
    """The page, each of whose elements must be closed in its place."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader.page


def assert_accessible(page: Page) -> None:
    """What can be told of WCAG 2.2 from the text of a page alone: names, labels, descriptions, and where links lead."""
    assert page.one("html")["lang"]
    assert page.one("title").text.strip()
    assert len(page.all("h1")) == 1
    ids = [tag["id"] for tag in page.tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids)), "an id stands twice"
    for tag in page.inputs():
        hidden = any(parent.attributes.get("aria-hidden") == "true" for parent in tag.parents)
        assert hidden == (tag.attributes.get("tabindex") == "-1"), "what is hidden cannot be reached, all else can"
        assert page.one("label", for_=tag["id"]).text.strip(), f"{tag['id']} has no label"
        if tag.attributes.get("type") in ("radio",):
            group = next(parent for parent in tag.parents if parent.name == "fieldset")
            assert any(group in legend.parents for legend in page.all("legend"))
    for tag in page.tags:
        for id_ in tag.attributes.get("aria-describedby", "").split():
            assert page.text(id_), f"{id_} describes nothing"
        if tag.name == "a" and tag["href"].startswith("#"):
            assert page.one(id=tag["href"][1:]).name in ("input", "select", "textarea")
        if tag.attributes.get("aria-invalid") == "true" and tag.name == "input":
            described = tag.attributes.get("aria-describedby", "") + "".join(
                parent.attributes.get("aria-describedby", "") for parent in tag.parents
            )
            assert "-error" in described, "what is wrong is told beside it"
