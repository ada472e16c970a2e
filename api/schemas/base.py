"""What all request and answer shapes share. Shapes of one subject each stand in the modules beside this one."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

ItemT = TypeVar("ItemT")


def _no_number(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9.]+\s*", value):
        raise ValueError("a moment is written as 2030-01-31T09:00:00Z")
    return value


WrittenMoment = Annotated[AwareDatetime, BeforeValidator(_no_number)]
"""A moment in an address, with its offset. A number is none, whatever it might count."""


class RequestModel(BaseModel):
    """What a caller sends: unknown fields and values of another type are refused, never guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """What the API answers with. Times are RFC 3339 in UTC."""

    model_config = ConfigDict(from_attributes=True)


class ListAnswer(Answer, Generic[ItemT]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: Sequence[ItemT]
    next_cursor: str | None = Field(None, description="Give it as `cursor` to get the next page; null = no more.")


def milliseconds(started: datetime | None, finished: datetime | None) -> int | None:
    """Time between the two, null while one of them is missing."""
    if started is None or finished is None:
        return None
    return max(0, round((finished - started).total_seconds() * 1000))
