"""HTML as plain text, for the text part of a message. Good enough to read, made for mail rather than for the web."""

import re
from html.parser import HTMLParser

_SKIPPED = frozenset({"head", "script", "style", "template", "title"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "figure", "footer", "form"}
    | {"header", "li", "main", "nav", "ol", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_PARAGRAPHS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre"})
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|<!(?:--|doctype)", re.IGNORECASE)
_DECLARATION = re.compile(r"<[!?][^<>]*>")
_NO_TAG = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")
_DEEPEST = 10
"""Lists inside each other that are indented."""
_SPACES = re.compile(r"[ \t\r\n\f]+")


def has_tags(text: str) -> bool:
    """Whether the text holds any markup at all."""
    return bool(_TAG.search(text))


def html_to_text(html: str) -> str:
    """Paragraphs, lists, table rows and links as lines of text; scripts, styles and nameless images are left out."""
    parser = _TextParser()
    parser.feed(_bounded(html))
    parser.close()
    return parser.text()


def _bounded(html: str) -> str:
    """The same without comments, declarations and tags that never end: for each of those the parser reads all the rest
    once more, and mails come from anybody."""
    return _NO_TAG.sub("&lt;", _DECLARATION.sub("", _without_comments(html)))


def _without_comments(html: str) -> str:
    parts: list[str] = []
    place = 0
    while (begin := html.find("<!--", place)) >= 0:
        parts.append(html[place:begin])
        end = html.find("-->", begin + 4)
        if end < 0:
            return "".join(parts)
        place = end + 3
    return "".join([*parts, html[place:]])


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._line_ends = 0
        self._skipping: list[str] = []
        self._preformatted = 0
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []

    def text(self) -> str:
        """What was read so far, at most one blank line in a row."""
        lines = "".join(self._parts).replace("\u00a0", " ").split("\n")
        joined = "\n".join(line.rstrip() for line in lines)
        return re.sub(r"\n{3,}", "\n\n", joined).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipping.append(tag)
        if self._skipping:
            return
        if tag == "br":
            self._add("\n")
        self._break_around(tag)
        self._begin(tag, dict(attrs))

    def _begin(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "a":
            # Links do not stand in each other: one that begins ends the one before.
            self._links = [(attributes.get("href") or "", len(self._parts))]
        elif tag == "img":
            self._add(attributes.get("alt") or "")
        elif tag == "hr":
            self._add("---\n\n")
        elif tag == "pre":
            self._preformatted += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._add(self._bullet())
        elif tag in ("td", "th") and self._parts and not self._line_ends:
            self._add("  ")

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.pop()
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        self._break_around(tag)

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._preformatted:
            self._add(data)
            return
        text = _SPACES.sub(" ", data)
        if not self._parts or self._line_ends or self._parts[-1].endswith(" "):
            text = text.lstrip(" ")
        self._add(text)

    def _add(self, text: str) -> None:
        if text:
            ends = len(text) - len(text.rstrip("\n"))
            self._line_ends = self._line_ends + ends if ends == len(text) else ends
            self._parts.append(text)

    def _break_around(self, tag: str) -> None:
        """A new line for a block, a blank one for a paragraph, unless they are there already."""
        wanted = 2 if tag in _PARAGRAPHS else 1 if tag in _BLOCKS else 0
        if self._parts:
            self._add("\n" * (wanted - self._line_ends))

    def _bullet(self) -> str:
        indent = "  " * min(max(0, len(self._lists) - 1), _DEEPEST)
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number + 1
            return f"{indent}{number + 1}. "
        return f"{indent}- "

    def _end_link(self, href: str, begun: int) -> None:
        """The address after the link's text, unless the text says it already."""
        text = "".join(self._parts[begun:]).strip()
        address = href.removeprefix("mailto:").strip()
        if href.startswith(("http://", "https://", "mailto:")):
            if not text:
                self._add(address)
            elif address.rstrip("/") != text.rstrip("/"):
                self._add(f" ({address})")
