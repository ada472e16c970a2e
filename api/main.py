"""The API process: the application with its routes, errors and documentation, and how it is run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError

from api import docs_pages, openapi, outgoing, permissions, problems
from api.access import Access
from api.codec_cors import CodecCors
from api.connections import SERVER_OPTIONS
from api.cors import Cors
from api.dependencies import actor_of, check_address, permitted, within_limits
from api.middleware import RequestIdentity
from api.rate_limiting import RateLimitHeaders, count_at_door
from api.request_limits import RequestLimits
from api.routes import (
    actions,
    again,
    api_keys,
    approval_pages,
    approvals,
    audit_log,
    bulk,
    catalog,
    codec,
    connection_use,
    connections,
    control,
    event_log,
    events,
    form_pages,
    forms,
    health,
    hooks,
    inbound,
    me,
    members,
    oauth_pages,
    payload_keys,
    platform_keys,
    run_input,
    runs,
    schedules,
    stream,
    usage,
    variables,
    versions,
    webhooks,
    workflows,
    workspace,
    workspaces,
)
from api.routes import problems as problem_routes
from api.routes.incoming import messages
from api.security_headers import SecurityHeaders
from api.streams import Streams
from app.observing import logs
from app.observing.process import Observing, observed
from app.services.platform import Platform, open_platform
from app.settings import Settings

SHUTDOWN_SECONDS = 10

_RESOURCES = (
    workflows,
    versions,
    actions,
    run_input,
    runs,
    control,
    approvals,
    again,
    bulk,
    stream,
    events,
    event_log,
    forms,
    webhooks,
    schedules,
    connections,
    connection_use,
    inbound,
    catalog,
    workspace,
    members,
    workspaces,
    platform_keys,
    api_keys,
    me,
    audit_log,
    usage,
    payload_keys,
    variables,
)


def create_app(platform: Platform | None = None, observing: Observing | None = None) -> FastAPI:
    """The application, over `platform` or over one it opens itself from the environment while it runs, watched by
    `observing`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if platform is not None:
            yield
            await outgoing.close(app.state)
            return
        async with open_platform(Settings(), observing) as opened:
            app.state.platform = opened
            yield
            await outgoing.close(app.state)

    # The pages of `/docs` come from the package, not from somebody's network: they work where there is none.
    app = FastAPIOffline(
        title="Holdfast",
        version=version("holdfast"),
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        static_url=docs_pages.STATIC,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.platform = platform
    app.state.streams = Streams()
    # The last one is the outermost.
    for middleware in (RateLimitHeaders, RequestLimits, CodecCors, Access, RequestIdentity, Cors, SecurityHeaders):
        app.add_middleware(middleware)
    problems.install(app)
    openapi.install(app, permissions.PERMISSION_OF)
    for resource in _RESOURCES:
        permissions.check(resource.router)
        # Who asks, and whether they may, is settled before anything else of the request is looked at.
        app.include_router(
            resource.router,
            prefix="/v1",
            dependencies=[Depends(actor_of), Depends(within_limits), Depends(permitted), Depends(check_address)],
        )
    app.include_router(health.router)
    for door in (approval_pages, form_pages, hooks, oauth_pages, messages, codec):
        app.include_router(door.router, dependencies=[Depends(count_at_door)])
    app.include_router(problem_routes.router)
    app.include_router(docs_pages.router)
    return app


def main() -> None:
    """Serve until told to stop: `python -m api.main`."""
    settings = _settings()
    logs.configure(settings)
    with observed(settings, "api") as observing:
        uvicorn.run(
            create_app(observing=observing),
            host=settings.api_host,
            port=settings.api_port,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            **SERVER_OPTIONS,
        )


def _settings() -> Settings:
    """The environment's settings, or one clear line about what is wrong with them."""
    try:
        settings = Settings()
    except ValidationError as error:
        names = (f"HOLDFAST_{'.'.join(map(str, found['loc'])).upper()}: {found['msg']}" for found in error.errors())
        raise SystemExit("; ".join(names)) from None
    if settings.database_url is None:
        raise SystemExit("HOLDFAST_DATABASE_URL is not set: name the database, or start all with `holdfast dev`.")
    return settings


if __name__ == "__main__":
    main()
