"""The pages the `type` of a problem document leads to."""

import html
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse

from api.problem_pages import PROBLEM_PAGES, ProblemPage
from api.security_headers import NOTHING, digests
from app.services.errors import NotFound

router = APIRouter(prefix="/problems", include_in_schema=False)

_STYLE = "body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 3rem auto }"
_POLICY = NOTHING + f"; style-src {digests(f'<style>{_STYLE}</style>', 'style')}"


@router.get("/{code}")
async def page(code: Annotated[str, Path()]) -> HTMLResponse:
    """What a problem code means."""
    found = PROBLEM_PAGES.get(code)
    if found is None:
        raise NotFound("problem_not_found", f"There is no kind of problem {code!r}; GET /problems lists them.")
    return _page(code, found)


@router.get("")
async def contents() -> HTMLResponse:
    """All problem codes."""
    lines = "".join(
        f'<li><a href="/problems/{code}"><code>{code}</code></a>: {html.escape(page.title)}</li>'
        for code, page in sorted(PROBLEM_PAGES.items())
    )
    return _html("Problems", f"<ul>{lines}</ul>")


def _page(code: str, page: ProblemPage) -> HTMLResponse:
    return _html(page.title, f"<p><code>{code}</code></p><p>{html.escape(page.explanation)}</p>")


def _html(title: str, body: str) -> HTMLResponse:
    escaped = html.escape(title)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escaped}</title>'
        f"<style>{_STYLE}</style><body><h1>{escaped}</h1>{body}"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"})
