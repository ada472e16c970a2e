"""Catalog entries of what goes over HTTP: `http.request` and `webhook.send`. Shapes and words, no calls."""

import re
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from app.catalog.base import Action, ActionModel
from app.catalog.errors import CALL_ERRORS, ErrorType
from app.definition.durations import Duration
from app.definition.paths import parse_path
from app.json import Json

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

# RFC 9110, 5.1 (token) and 5.5 (field value): what may stand in a header without breaking out of it.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# These say where a message ends; a wrong one would let one request be read as two.
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_STATUS_RANGE = re.compile(r"([1-5])xx|([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?", re.IGNORECASE)


def as_text(value: object) -> object:
    """Numbers and booleans as the text a header, query or form carries; anything else unchanged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Text: TypeAlias = Annotated[str, BeforeValidator(as_text)]
Parameter: TypeAlias = Text | list[Text] | None
"""A value, several of the same name, or null: left out."""


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Header names and values that cannot break out of their line; raises `ValueError` naming the header."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name")
        if name.lower() in _FRAMING:
            raise ValueError(f"the header {name} is set by Holdfast itself and cannot be given")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} holds a line break or a control character")
    return headers


Headers: TypeAlias = dict[str, Text]


def upper_case(value: object) -> object:
    """Methods may be written in any case."""
    return value.upper() if isinstance(value, str) else value


class NoAuth(ActionModel):
    """No credentials, not even those of the connection."""

    type: Literal["none"]


class BasicAuth(ActionModel):
    """RFC 7617."""

    type: Literal["basic"]
    username: Text = Field(description="User name.", examples=["ada"])
    password: Text = Field("", repr=False, description="Password.")

    @field_validator("username")
    @classmethod
    def _no_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("a user name for basic authentication cannot hold a colon (RFC 7617)")
        return value


class BearerAuth(ActionModel):
    """RFC 6750."""

    type: Literal["bearer"]
    token: str = Field(
        min_length=1, repr=False, pattern=r"^[\x21-\x7e]+$", description="Token, without the word Bearer."
    )


class ApiKeyAuth(ActionModel):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    name: str = Field("X-API-Key", min_length=1, description="Name of the header or query parameter.")
    value: Text = Field(min_length=1, repr=False, description="The key.")
    in_: Literal["header", "query"] = Field("header", alias="in", description="Where it goes.")

    @model_validator(mode="after")
    def _fits_a_header(self) -> "ApiKeyAuth":
        if self.in_ == "header":
            check_headers({self.name: self.value})
        return self


Auth: TypeAlias = Annotated[NoAuth | BasicAuth | BearerAuth | ApiKeyAuth, Field(discriminator="type")]


class HttpRequestInputs(ActionModel):
    """One request. At most one of `json`, `form` and `body`."""

    url: str = Field(
        min_length=1,
        max_length=8192,
        description="Absolute http or https URL; with a connection also a path below its base URL.",
        examples=["https://api.example.com/contacts", "/contacts/42"],
    )
    method: Annotated[Method, BeforeValidator(upper_case)] = Field("GET", description="HTTP method.")
    headers: Headers = Field(
        default_factory=dict, description="Headers by name.", examples=[{"Accept": "application/json"}]
    )
    query: dict[str, Parameter] = Field(
        default_factory=dict,
        description="Query parameters, added to those of the URL. A list repeats the name, null leaves it out.",
        examples=[{"page": 2, "tag": ["new", "vip"]}],
    )
    json_: Json = Field(None, alias="json", description="Body sent as JSON; any value, null included.")
    form: dict[str, Parameter] | None = Field(None, description="Body sent as an HTML form (urlencoded).")
    body: str | None = Field(None, description="Body sent as it stands, in UTF-8.")
    content_type: str | None = Field(
        None, description="Content type of `body`; default text/plain.", examples=["application/xml"]
    )
    auth: Auth | None = Field(
        None, description="Credentials of this request; default: those of the connection. `{type: none}` sends none."
    )
    success_status: int | str | list[int | str] = Field(
        "200-299",
        description='Which answers count as success: a code, a class ("2xx"), a range ("200-299") or a list of these.',
        examples=["2xx", [200, 404]],
    )
    response_mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Values to take from the answer: name to a path that starts with status_code, headers or body.",
        examples=[{"contact_id": "body.data.id"}],
    )
    max_response_bytes: int | None = Field(
        None, ge=1, description="Largest answer taken, in bytes; never more than the installation allows."
    )
    follow_redirects: bool = Field(
        True, description="Follow up to five redirects. Credentials never go along to another origin."
    )
    timeout: Duration | None = Field(
        None, description="Longest the request may take; default: the step's timeout.", examples=["10s"]
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_safe(cls, value: dict[str, str]) -> dict[str, str]:
        return check_headers(value)

    @field_validator("content_type")
    @classmethod
    def _content_type_is_safe(cls, value: str | None) -> str | None:
        return check_headers({"Content-Type": value})["Content-Type"] if value else value

    @field_validator("success_status")
    @classmethod
    def _statuses_are_readable(cls, value: int | str | list[int | str]) -> int | str | list[int | str]:
        status_ranges(value)
        return value

    @field_validator("response_mapping")
    @classmethod
    def _paths_are_readable(cls, value: dict[str, str]) -> dict[str, str]:
        for name, path in value.items():
            if parse_path(path)[0] not in ("status_code", "headers", "body"):
                raise ValueError(f"{name}: the path {path!r} must start with status_code, headers or body")
        return value

    @model_validator(mode="after")
    def _has_one_body(self) -> "HttpRequestInputs":
        given = [name for name, there in self.bodies().items() if there]
        if len(given) > 1:
            raise ValueError(f"only one of json, form and body can be sent, here are {' and '.join(given)}")
        if given and self.method == "HEAD":
            raise ValueError(f"a HEAD request carries no body; take {given[0]} out or use another method")
        return self

    def bodies(self) -> dict[str, bool]:
        """Which of the three kinds of body is given; an explicit `json: null` is."""
        return {
            "json": "json_" in self.model_fields_set,
            "form": self.form is not None,
            "body": self.body is not None,
        }


def status_ranges(value: int | str | list[int | str]) -> list[range]:
    """`success_status` as ranges of codes; raises `ValueError` naming what cannot be read."""
    ranges = []
    for part in value if isinstance(value, list) else str(value).split(","):
        match = _STATUS_RANGE.fullmatch(str(part).strip())
        if not match:
            raise ValueError(f'{part!r} is no status: use a code (200), a class ("2xx") or a range ("200-299")')
        hundreds, first, last = match.groups()
        start = int(hundreds) * 100 if hundreds else int(first)
        stop = start + 99 if hundreds else int(last or first)
        if stop < start:
            raise ValueError(f"the range of statuses {part!r} ends before it begins")
        ranges.append(range(start, stop + 1))
    return ranges


class HttpRequestOutputs(ActionModel):
    """The answer."""

    status_code: int = Field(description="HTTP status.", examples=[200])
    headers: dict[str, str] = Field(description="Headers by lower-case name; repeated ones are joined with a comma.")
    body: Json = Field(
        description="Parsed when the content type is JSON (text if it cannot be read); text otherwise; null when there "
        "is none; `{base64, content_type, size}` when it is neither."
    )
    duration_ms: float = Field(description="Time until the whole answer was there, in milliseconds.")
    mapped: dict[str, Json] = Field(default_factory=dict, description="The values `response_mapping` asks for.")


HTTP_REQUEST = Action(
    id="http.request",
    title="HTTP request",
    description="Call any HTTP API and use its answer. Credentials come from an http connection or from the step.",
    icon="globe",
    inputs=HttpRequestInputs,
    outputs=HttpRequestOutputs,
    where="remote",
    idempotency="A stable Idempotency-Key header goes along with every attempt, unless the step sets its own.",
    connection="http",
    errors=(*CALL_ERRORS, ErrorType.RESPONSE_MAPPING),
    aliases=("api_call",),
    examples=(
        {
            "title": "Look a company up and keep its size",
            "inputs": {
                "url": "https://api.example.com/companies",
                "query": {"domain": "{{ trigger.contact.domain }}"},
                "auth": {"type": "api_key", "name": "X-API-Key", "value": "{{ vars.api_key }}"},
                "response_mapping": {"employees": "body.data[0].employees"},
            },
        },
        {
            "title": "Create a ticket through a connection",
            "connection": "helpdesk",
            "inputs": {
                "method": "POST",
                "url": "/tickets",
                "json": {"subject": "New lead", "requester": "{{ trigger.contact.email }}"},
                "success_status": [201],
            },
        },
        {
            "title": "Ask whether something exists; 404 is an answer, too",
            "inputs": {"url": "https://api.example.com/orders/42", "success_status": ["2xx", 404]},
        },
    ),
)


class WebhookSendInputs(ActionModel):
    """One delivery of a webhook."""

    url: str = Field(min_length=1, max_length=8192, description="Absolute http or https URL of the receiver.")
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(upper_case)] = Field(
        "POST", description="HTTP method."
    )
    headers: Headers = Field(default_factory=dict, description="Further headers by name.")
    body: Json = Field(None, description="Payload, sent as JSON; null sends none.", examples=[{"type": "deal.won"}])
    timeout_ms: int = Field(30_000, ge=1, le=300_000, description="Longest the delivery may take, in milliseconds.")

    @field_validator("url")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        if not urlsplit(value).scheme:
            raise ValueError(f"{value!r} is not an absolute URL; it must begin with https:// or http://")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_safe(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in ("webhook-id", "webhook-timestamp", "webhook-signature"):
                raise ValueError(f"the header {name} is set by Holdfast itself and cannot be given")
        return check_headers(value)


class WebhookSendOutputs(ActionModel):
    """What the receiver answered."""

    status_code: int = Field(description="HTTP status.", examples=[204])
    response_body: Json = Field(description="The answer: parsed when JSON, text otherwise, null when there is none.")
    success: bool = Field(description="True: the receiver took it. Anything else is an error of the step.")


WEBHOOK_SEND = Action(
    id="webhook.send",
    title="Send a webhook",
    description="Deliver a JSON payload to a URL, signed as Standard Webhooks say when a webhook connection is given.",
    icon="webhook",
    inputs=WebhookSendInputs,
    outputs=WebhookSendOutputs,
    where="remote",
    idempotency="webhook-id and Idempotency-Key are the same for every attempt, so that a repeat can be told.",
    connection="webhook",
    errors=CALL_ERRORS,
    aliases=("webhook_call",),
    examples=(
        {
            "title": "Tell another system about a won deal",
            "connection": "partner-hook",
            "inputs": {
                "url": "https://hooks.example.com/deals",
                "body": {"type": "deal.won", "data": {"id": "{{ trigger.deal.id }}"}},
            },
        },
    ),
)

ACTIONS = (HTTP_REQUEST, WEBHOOK_SEND)
