"""A request's body as a dependency: content type, reading, and its shape. What each body holds stands in `schemas/`.

Read here and not by the framework, so that who asks is settled before a byte is read, YAML is taken where definitions
are, and every refusal says where.
"""

from collections.abc import Callable
from email.message import Message
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from api.dependencies import platform_of
from api.problems import Refused
from api.reading import read_body, read_json, read_yaml
from app.json import Json, JsonObject
from app.services.validation import validated

M = TypeVar("M", bound=BaseModel)

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


class RequestBody(Generic[M]):
    """Reads a body as `model`; `openapi` documents it on the route.

    With `from_yaml` YAML is taken as well; the function brings a YAML document into the shape of `model`. A body that
    is not `required` may be left out, and stands for `{}` then.
    """

    def __init__(
        self, model: type[M], *, from_yaml: Callable[[Json], Json] | None = None, required: bool = True
    ) -> None:
        self._model = model
        self._from_yaml = from_yaml
        self._required = required

    async def __call__(self, request: Request) -> M:
        """Raises `Refused` (400, 413, 415, 422) or `Invalid` with every problem."""
        body = await read_body(request, platform_of(request).settings.max_body_bytes)
        data = self._read(request, body) if body or self._required else {}
        return validated(self._model, data, code="invalid_request", subject="The body")

    @property
    def openapi(self) -> JsonObject:
        """What the route's `openapi_extra` says; `api.openapi` moves the schema to the components."""
        schema = self._model.model_json_schema(ref_template="#/components/schemas/{model}")
        content: dict[str, Any] = {"application/json": {"schema": schema}}
        if self._from_yaml:
            content["application/yaml"] = {"schema": schema}
        return {"requestBody": {"required": self._required, "content": content}}

    def _read(self, request: Request, body: bytes) -> Json:
        media_type = media_type_of(request)
        if media_type == "application/json" or media_type.endswith("+json"):
            return read_json(body)
        if self._from_yaml and media_type in YAML_TYPES:
            return self._from_yaml(read_yaml(body))
        taken = "application/json or application/yaml" if self._from_yaml else "application/json"
        raise Refused(415, "unsupported_media_type", f"The body is sent as {media_type}; this call takes {taken}.")


def media_type_of(request: Request) -> str:
    """The media type a body was sent as; JSON where none is said. Raises `Refused` (415) unless it is UTF-8."""
    header = request.headers.get("content-type")
    if not header:
        return "application/json"
    parsed = Message()
    parsed["content-type"] = header
    charset = parsed.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Refused(415, "unsupported_media_type", f"The body is sent in the character set {charset}; send UTF-8.")
    return parsed.get_content_type() if "/" in header else header.strip().lower()
