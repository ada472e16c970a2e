"""The pages about the API that come from a package, with a policy that lets their own scripts run and no others."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse

from api.security_headers import digests

STATIC = "/static-offline-docs"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger(request: Request) -> HTMLResponse:
    """The API to look at and to try."""
    root, app = request.scope.get("root_path", ""), request.app
    return _bounded(
        get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title}: the API",
            swagger_js_url=f"{root}{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{STATIC}/favicon.png",
            swagger_ui_parameters=app.swagger_ui_parameters,
        )
    )


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """The same to read."""
    root, app = request.scope.get("root_path", ""), request.app
    return _bounded(
        get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title}: the API",
            redoc_js_url=f"{root}{STATIC}/redoc.standalone.js",
            with_google_fonts=False,
            redoc_favicon_url=f"{root}{STATIC}/favicon.png",
        )
    )


def _bounded(page: HTMLResponse) -> HTMLResponse:
    scripts = digests(bytes(page.body).decode(), "script")
    policy = (
        "default-src 'none'",
        f"script-src 'self' {scripts}".strip(),
        # Both viewers make styles while they run; there is nothing of anybody's on these pages.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    page.headers["Content-Security-Policy"] = "; ".join(policy)
    page.headers["X-Frame-Options"] = "DENY"
    return page
