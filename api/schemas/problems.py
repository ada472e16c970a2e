"""The shape of every error: a problem document of RFC 9457."""

from pydantic import Field

from api.schemas.base import Answer


class FieldProblem(Answer):
    """One thing to mend."""

    path: str = Field(description="Where: a path into the body (`steps[2].id`), `query.limit`, `path.run_id`.")
    message: str
    hint: str = Field("", description="How to mend it, where that is known.")
    severity: str = Field("error", description="`error`, `warning` or `info`.")


class ProblemDocument(Answer):
    """An error as RFC 9457 writes it (`application/problem+json`)."""

    type: str = Field(description="A page about this kind of problem.", examples=["/problems/invalid_request"])
    title: str
    status: int
    detail: str = Field(description="What happened this time, and the way out.")
    code: str = Field(description="The kind of problem as a word that programs match on.", examples=["invalid_request"])
    errors: list[FieldProblem] = Field(description="Every single thing that is wrong, where it can be said.")
    request_id: str = Field(description="Also in the header `X-Request-Id`; name it when you ask for help.")
