"""Who a request comes from, for all who ask: whom to believe about it is `HOLDFAST_TRUSTED_PROXIES`' to say."""

from starlette.requests import Request

from app.security.client_addresses import client_address
from app.services.platform import Platform


def address_of(request: Request, platform: Platform) -> str | None:
    """The client's address; None when there is no telling."""
    return client_address(
        request.client.host if request.client else None,
        request.headers.getlist("x-forwarded-for"),
        platform.settings.trusted_proxies,
    )
