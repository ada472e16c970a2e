"""The API process: the application with its routes, errors and documentation, and how it is run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError

from api import openapi, permissions, problems
from api.access import Access
from api.dependencies import actor_of, check_address, permitted
from api.middleware import RequestIdentity
from api.routes import (
    actions,
    again,
    approval_pages,
    approvals,
    bulk,
    catalog,
    connections,
    control,
    event_log,
    events,
    form_pages,
    forms,
    health,
    hooks,
    inbound,
    run_input,
    runs,
    schedules,
    stream,
    versions,
    webhooks,
    workflows,
    workspace,
)
from api.routes import problems as problem_routes
from api.routes.incoming import messages
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
    inbound,
    catalog,
    workspace,
)


def create_app(platform: Platform | None = None, observing: Observing | None = None) -> FastAPI:
    """The application, over `platform` or over one it opens itself from the environment while it runs, watched by
    `observing`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if platform is not None:
            yield
            return
        async with open_platform(Settings(), observing) as opened:
            app.state.platform = opened
            yield

    # The pages of `/docs` come from the package, not from somebody's network: they work where there is none.
    app = FastAPIOffline(
        title="Holdfast",
        version=version("holdfast"),
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.platform = platform
    app.add_middleware(Access)
    app.add_middleware(RequestIdentity)  # the last one added is the first to see a request
    problems.install(app)
    openapi.install(app)
    for resource in _RESOURCES:
        permissions.check(resource.router)
        # Who asks, and whether they may, is settled before anything else of the request is looked at.
        app.include_router(
            resource.router, prefix="/v1", dependencies=[Depends(actor_of), Depends(permitted), Depends(check_address)]
        )
    app.include_router(health.router)
    app.include_router(approval_pages.router)
    app.include_router(form_pages.router)
    app.include_router(hooks.router)
    app.include_router(messages.router)
    app.include_router(problem_routes.router)
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
            log_config=None,
            access_log=False,
            server_header=False,
            # Whom to believe about the client's address is `HOLDFAST_TRUSTED_PROXIES`' to say.
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
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
