"""What all pages that people open without a login share: templates, headers that let nothing else run, posted forms.

No page has a script, and the only styles are those whose digest its headers name.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.bodies import media_type_of
from api.forms.fields import FormField
from api.problems import Refused
from api.reading import check_value, read_body
from app.definition.problems import Problem

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 1000

Posted = dict[str, list[str]]
"""What a browser sends: everything that was sent under each key."""

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("api"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
_style = files("api").joinpath("templates", "page.css").read_text()


def page(status: int, title: str, lines: Sequence[str]) -> HTMLResponse:
    """A page that says something in a few plain words."""
    return rendered("page.html", status, title=title, lines=lines)


def rendered(
    template: str,
    status: int,
    *,
    theme: str = "",
    image_from: str = "",
    leads_on: bool = False,
    leads_to: str = "",
    framed_by: Sequence[str] = (),
    **values: Any,
) -> HTMLResponse:
    """A page of a template. `theme` is CSS that was made here, never somebody's text.

    An image may come from the origin `image_from`, and pages of the origins `framed_by` may show it in a frame. With
    `leads_on` the answer to its form may lead to other websites: browsers hold each further redirect against the
    policy as well, and where the first address leads is not known here. `leads_to` is an origin
    without TLS that it leads to.
    """
    styles = " ".join(f"'sha256-{_digest(style)}'" for style in (_style, theme) if style)
    own, none = "'self'", "'none'"
    policy = [
        f"default-src {none}",
        f"style-src {styles}",
        " ".join(filter(None, (f"form-action {own}", "https:" if leads_on else "", leads_to))),
        f"base-uri {none}",
    ]
    policy += [f"frame-ancestors {' '.join(framed_by) or none}", *([f"img-src {image_from}"] if image_from else [])]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        **({} if framed_by else {"X-Frame-Options": "DENY"}),
    }
    text = _templates.get_template(template).render(style=_style, theme=theme, **values)
    return HTMLResponse(text, status_code=status, headers=headers)


async def posted(request: Request, limit: int) -> Posted:
    """What a browser sends, at most `limit` bytes. Raises `Refused`."""
    if (sent := media_type_of(request)) != FORM_TYPE:
        raise Refused(415, "unsupported_media_type", f"The body is sent as {sent}; this page takes a form.")
    body = await read_body(request, limit)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
        )
    except ValueError:
        raise Refused(400, "bad_request", "The form cannot be read.") from None
    found: Posted = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    check_value(found)
    return found


def last(sent: Posted, key: str) -> str:
    """The one value under a key, the last of several; an empty text for none."""
    return sent.get(key, [""])[-1]


def told(fields: Sequence[FormField], left: Sequence[Problem]) -> list[dict[str, str]]:
    """The errors of a page, each with the id of the field it leads to; those in `left` lead to none."""
    errors = [{"at": each.id, "text": f"{each.label}: {each.error}"} for each in fields if each.error]
    return errors + [{"at": "", "text": f"{problem.path} {problem.message}".strip()} for problem in left]


@lru_cache(maxsize=256)
def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
