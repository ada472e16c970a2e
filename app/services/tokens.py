"""The reader of bearer tokens that the settings ask for. What is made of a token stands in `signing_in`."""

from functools import partial

from app.security.egress import EgressPolicy
from app.security.fetching import fetch
from app.security.issuer_keys import IssuerKeys
from app.security.tokens import KEY_SET_ALGORITHMS, SECRET_ALGORITHMS, SecretKey, TokenReader, TokenRules
from app.settings import Settings


def token_reader(settings: Settings) -> TokenReader | None:
    """None where no tokens are taken. Asks nobody for keys before the first token comes."""
    if settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    issuer, audience, leeway = settings.jwt_issuer, settings.jwt_audience, settings.jwt_leeway_seconds
    if settings.jwt_secret is not None:
        keys = SecretKey(settings.jwt_secret.get_secret_value())
        return TokenReader(TokenRules(issuer, audience, leeway, SECRET_ALGORITHMS), keys)
    if settings.jwt_jwks_url is None:
        return None
    source = IssuerKeys(partial(fetch, settings.jwt_jwks_url, EgressPolicy(settings.egress_allow)))
    return TokenReader(TokenRules(issuer, audience, leeway, KEY_SET_ALGORITHMS), source)
