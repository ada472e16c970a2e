"""HTML as the text part of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inbound.html_text import has_tags, html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("<p>  much \n  space  </p>", "much space"),
        ("<p>a <b>bold</b> word</p>", "a bold word"),
        ("Tom &amp; Jerry &lt;3 &euro; &#8364;&nbsp;x", "Tom & Jerry <3 € € x"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ol><li>one<ul><li>deep</li></ul></li><li>two</li></ol>", "1. one\n  - deep\n2. two"),
        ("<a href='https://x.example/'>site</a>", "site (https://x.example/)"),
        ("<a href='https://x.example'>https://x.example/</a>", "https://x.example/"),
        ("<a href='mailto:a@x.example'>write</a>", "write (a@x.example)"),
        ("<a href='#top'>up</a>", "up"),
        ("<a href='https://x.example/'><img src='logo.png'></a>", "https://x.example/"),
        ("<img src='x' alt='Our logo'>", "Our logo"),
        (
            "<table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>3 €</td></tr></table>",
            "Item  Price\nTea  3 €",
        ),
        ("<h1>Title</h1>Text<hr>End", "Title\n\nText\n\n---\n\nEnd"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<head><title>no</title><style>p{}</style></head><body><script>no()</script>yes</body>", "yes"),
        ("<p>a</p>\n\n\n<p>b</p>", "a\n\nb"),
        ("<!-- hidden -->shown", "shown"),
        ("<p>unclosed <b>tags", "unclosed tags"),
        ("</p></div></li>stray", "stray"),
        ("", ""),
    ],
)
def test_it_reads_as_people_would_write_it(html: str, text: str) -> None:
    assert html_to_text(html) == text


@given(st.text(alphabet="<>/abpliuo \n=\"'&;!-", max_size=200))
def test_any_text_can_be_read(html: str) -> None:
    assert "\n\n\n" not in html_to_text(html)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>x", True),
        ("a <br/> b", True),
        ("1 < 2 > 0", False),
        ("plain", False),
        ("<https://x.example/a>", False),
        ("<a@x.example>", False),
    ],
)
def test_markup_is_told_from_text(text: str, expected: bool) -> None:
    assert has_tags(text) is expected
