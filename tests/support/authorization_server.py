"""An authorization server on loopback with the API it guards, as strict as RFC 6749, RFC 7636 and RFC 9700 let it be.

It refuses what a lax one lets pass: another redirect URI, a code used twice, a verifier that does not fit, a client
that authenticates in another way than it is registered with, a refresh token that was used before.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from app.json import JsonObject
from tests.support.http_stub import Answer, Asked, HttpStub

CLIENT_ID = "holdfast client:1"
CLIENT_SECRET = "s&cret/+ 100%:u"
REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback"


class AuthorizationServer:
    """`client_auth` is how its one client is registered: client_secret_basic, client_secret_post or none (public)."""

    def __init__(self, stub: HttpStub, client_auth: str = "client_secret_basic") -> None:
        self.stub = stub
        self.client_auth = client_auth
        self.expires_in: object = 3600
        self.more: JsonObject = {}
        self.rotates = True
        self.denies: str | None = None
        self.asked_for: list[Mapping[str, str]] = []
        self.granted: list[str] = []
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self.problems: list[str] = []
        self._codes: dict[str, Mapping[str, str]] = {}
        stub.answer("/authorize", self._authorize)
        stub.answer("/token", self._token)
        stub.answer("/api/me", self._me)

    def connection(self, name: str = "crm", grant: str = "authorization_code", **config: Any) -> JsonObject:
        """What makes a connection to it."""
        own = {
            "base_url": f"{self.stub.url}/api",
            "grant": grant,
            "token_url": f"{self.stub.url}/token",
            "client_id": CLIENT_ID,
            "scopes": ["contacts.read", "contacts.write"],
        }
        if grant == "authorization_code":
            own["authorization_url"] = f"{self.stub.url}/authorize?tenant=7"
        if self.client_auth != "none":
            own["client_auth"] = self.client_auth
        known = {"credentials": {"client_secret": CLIENT_SECRET}} if self.client_auth != "none" else {}
        return {"kind": "oauth2", "name": name, "config": own | config, **known}

    def revoke_access(self) -> None:
        """Access tokens are good no longer; refresh tokens are."""
        self.access.clear()

    def revoke(self) -> None:
        """The authorization is taken back."""
        self.access.clear()
        self.refresh.clear()

    def _authorize(self, asked: Asked) -> Answer:
        given = asked.query
        self.asked_for.append(given)
        self._expect(given.get("tenant") == "7", "the query of the address is gone")
        self._expect(given.get("response_type") == "code", "response_type")
        self._expect(given.get("client_id") == CLIENT_ID, "client_id")
        self._expect(given.get("redirect_uri") == REDIRECT_URI, "redirect_uri")
        self._expect(given.get("code_challenge_method") == "S256", "code_challenge_method")
        self._expect(bool(re.fullmatch(r"[\w-]{43}", given.get("code_challenge", ""))), "code_challenge")
        self._expect(len(given.get("state", "")) >= 20, "state")
        answer = {"state": given.get("state", "")}
        if self.denies is not None:
            answer |= {"error": "access_denied", "error_description": self.denies}
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self._codes[answer["code"]] = given
        return Answer(302, headers={"Location": f"{REDIRECT_URI}?{urlencode(answer)}"})

    def _token(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        if asked.method != "POST" or asked.headers["Content-Type"] != "application/x-www-form-urlencoded":
            return _refused("invalid_request")
        if not self._is_client(asked, form):
            return _refused("invalid_client", 401)
        grant = form.get("grant_type", "")
        check = {"authorization_code": self._code, "refresh_token": self._refresh, "client_credentials": self._own}
        if grant not in check:
            return _refused("unsupported_grant_type")
        if (problem := check[grant](form)) is not None:
            return _refused("invalid_grant", description=problem)
        self.granted.append(grant)
        access, refresh = f"at-{secrets.token_urlsafe(16)}", f"rt-{secrets.token_urlsafe(16)}"
        self.access.add(access)
        told: JsonObject = {"access_token": access, "token_type": "Bearer", "expires_in": self.expires_in}
        if grant == "authorization_code" or (grant == "refresh_token" and self.rotates):
            self.refresh.add(refresh)
            told["refresh_token"] = refresh
        return Answer(json={**told, **self.more})

    def _is_client(self, asked: Asked, form: Mapping[str, str]) -> bool:
        header = asked.headers.get("Authorization", "")
        if self.client_auth == "client_secret_basic":
            pair = base64.b64decode(header.removeprefix("Basic ")).decode().split(":")
            good = list(map(unquote_plus, pair)) == [CLIENT_ID, CLIENT_SECRET]
            return good and "client_id" not in form and "client_secret" not in form
        secret = None if self.client_auth == "none" else CLIENT_SECRET
        return not header and form.get("client_id") == CLIENT_ID and form.get("client_secret") == secret

    def _code(self, form: Mapping[str, str]) -> str | None:
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None:
            return "no such code"
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return "the verifier does not fit"
        return None if form.get("redirect_uri") == asked["redirect_uri"] else "another redirect_uri"

    def _refresh(self, form: Mapping[str, str]) -> str | None:
        token = form.get("refresh_token", "")
        if token not in self.refresh:
            # RFC 9700, 4.14.2: whoever uses one twice may be a thief.
            self.revoke()
            return f"the token {token} was used before or revoked"
        if self.rotates:
            self.refresh.discard(token)
        return None

    def _own(self, form: Mapping[str, str]) -> str | None:
        return None if form.get("scope") == "contacts.read contacts.write" else "scope"

    def _me(self, asked: Asked) -> Answer:
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.access:
            return Answer(401, json={"error": "invalid_token"}, headers={"WWW-Authenticate": "Bearer"})
        return Answer(json={"name": "Ada"})

    def _expect(self, good: bool, what: str) -> None:
        if not good:
            self.problems.append(what)


def _refused(code: str, status: int = 400, description: str = "") -> Answer:
    return Answer(status, json={"error": code, **({"error_description": description} if description else {})})
