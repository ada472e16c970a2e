"""Shapes of the answers to those who watch over the server."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Answer


class CheckAnswer(Answer):
    """One part the server needs."""

    status: Literal["ok", "down"]
    detail: str | None = Field(None, description="What is wrong, and what to do.")


class HealthAnswer(Answer):
    """`ok` when all checks are, else `down`."""

    status: Literal["ok", "down"]
    checks: dict[str, CheckAnswer]
